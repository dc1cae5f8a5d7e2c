"""The files in deploy: valid, and in step with the image, the command line and the settings."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from kubernetes_validate import validate
from typer.core import TyperGroup

from syncer.app.cli import app
from syncer.app.invocation import Invocation
from syncer.app.settings import Settings

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
SECRET = KUBERNETES / "secret.example.yaml"
UNIT = ROOT / "deploy" / "systemd" / "syncer.service"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
KUSTOMIZATION = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())


def manifests() -> list[Any]:
    return [
        manifest
        for name in KUSTOMIZATION["resources"]
        for manifest in yaml.safe_load_all((KUBERNETES / name).read_text())
    ]


def pods() -> Iterator[tuple[str, Any]]:
    for manifest in manifests():
        spec = manifest.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield manifest["metadata"]["name"], spec["template"]["spec"]


PODS = dict(pods())


def understood(arguments: list[str]) -> str:
    """Return the command of a command line; the parser ends the test where it is none."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("syncer", arguments, obj=Invocation({}))
    assert isinstance(command, TyperGroup)
    name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    command.make_context(name, rest, parent=context)
    return str(name)


def test_every_manifest_is_applied() -> None:
    """None lies there that the kustomization does not name; what it runs is what there is to run."""
    there = {path.name for path in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml", "syncer.yaml", SECRET.name}
    assert there == set(KUSTOMIZATION["resources"])
    assert KUSTOMIZATION["configMapGenerator"] == [{"name": "syncer", "files": ["syncer.yaml"]}]
    assert set(PODS) == {"syncer-migrate", "syncer-run", "syncer-serve", "syncer-backfill-articles"}


@pytest.mark.parametrize("manifest", manifests(), ids=lambda each: f"{each['kind']} {each['metadata']['name']}")
def test_every_manifest_is_valid(manifest: Any) -> None:
    """By the schemas of Kubernetes, with no field that it does not know."""
    assert validate(manifest, "1.37", strict=True) == "1.37"


@pytest.mark.parametrize("name", PODS)
def test_every_pod_is_confined(name: str) -> None:
    """As the restricted policy of its namespace asks for, and then some; by the user of the image."""
    pod = PODS[name]
    [container] = pod["containers"]
    uid = re.search(r"--uid (\d+)", DOCKERFILE)
    assert uid is not None
    assert pod["securityContext"]["runAsUser"] == int(uid[1])
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    assert container["image"] in {image["name"] for image in KUSTOMIZATION["images"]}


@pytest.mark.parametrize("name", PODS)
def test_every_pod_finds_its_files(name: str) -> None:
    """Where the image looks for the configuration and writes models to; and every volume is there."""
    pod = PODS[name]
    [container] = pod["containers"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert set(mounts.values()) == {volume["name"] for volume in pod["volumes"]}
    told = dict(re.findall(r"(SYNCER_CONFIG|HF_HOME)=(\S+)", DOCKERFILE))
    assert Path(told["SYNCER_CONFIG"]) == Path("/etc/syncer/syncer.yaml")
    assert mounts["/etc/syncer"] == "configuration"
    if name != "syncer-migrate":
        assert any(Path(told["HF_HOME"]).is_relative_to(path) for path in mounts)


@pytest.mark.parametrize("name", PODS)
def test_every_pod_runs_a_command_and_is_probed_where_it_listens(name: str) -> None:
    """In the words that the command line knows, and for pipelines of the configuration."""
    [container] = PODS[name]["containers"]
    assert understood(container["args"]) in name
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
    assert [f"0.0.0.0:{port}" for port in ports.values()] == [each for each in container["args"] if ":" in each]
    probes = {kind: probe["httpGet"] for kind, probe in container.items() if kind.endswith("Probe")}
    assert {probe["port"] for probe in probes.values()} == set(ports)
    if probes:
        paths = {kind: probe["path"] for kind, probe in probes.items()}
        assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}


def test_what_a_service_selects_is_there() -> None:
    """By the labels of a deployment's pods, and so does the budget of disruptions."""
    specs = [(manifest["kind"], manifest.get("spec", {})) for manifest in manifests()]
    labels = [spec["template"]["metadata"]["labels"] for kind, spec in specs if kind == "Deployment"]
    chosen = [spec["selector"] for kind, spec in specs if kind == "Service"]
    chosen += [spec["selector"]["matchLabels"] for kind, spec in specs if kind == "PodDisruptionBudget"]
    assert len(chosen) == 2
    assert all(each in labels for each in chosen)


def test_the_configuration_is_valid() -> None:
    """With what the example of a secret holds; others may ask where there is a token."""
    secret = yaml.safe_load(SECRET.read_text())["stringData"]
    text = (KUBERNETES / "syncer.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(secret)
    settings = Settings.load(KUBERNETES / "syncer.yaml", secret)
    assert settings.serve.tokens
    assert "articles" in settings.pipelines


def unit() -> dict[str, str]:
    lines = [line.partition("=") for line in UNIT.read_text().splitlines() if "=" in line and line[0] != "#"]
    return {name: value for name, _, value in lines}


def test_the_unit_runs_what_there_is_to_run() -> None:
    """And systemd hears of it: notify, with a watchdog."""
    found = unit()
    assert (found["Type"], found["WatchdogSec"]) == ("notify", "10min")
    shell, option, script = shlex.split(found["ExecStart"])
    assert (shell, option) == ("/bin/sh", "-c")
    # `run` in place of the shell, so that it is the process that systemd hears and stops.
    first, last = script.split(" && exec ")
    for line, command in ((first, "migrate"), (last, "run")):
        program, *arguments = shlex.split(line)
        assert Path(program).name == "syncer"
        assert understood(arguments) == command
    assert "ExecStartPre" not in found
    # That of a wrong configuration.
    assert found["RestartPreventExitStatus"] == "2"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """Every setting by its name; only the program lies elsewhere."""
    there = tmp_path / "syncer.service"
    there.write_text(UNIT.read_text().replace("/opt/syncer/bin/syncer", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", there], capture_output=True, text=True)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "syncer.service" in line]) == (0, [])
