"""syncer as a user has it: a configuration file and a command, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import yaml
from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan

PATIENCE_SECONDS = 60.0


def eventually(condition: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until the condition holds; fail when it does not within the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


@dataclass
class Running:
    """A `syncer` process; its log is the file `log`."""

    process: subprocess.Popen[bytes]
    log: Path

    def events(self) -> list[dict[str, Any]]:
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def saw(self, event: str) -> bool:
        """Tell whether a log line with this event was written."""
        return any(found.get("event") == event for found in self.events())

    def wait_for(self, event: str, seconds: float = PATIENCE_SECONDS) -> None:
        def seen() -> bool:
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            return self.saw(event)

        eventually(seen, f"{event!r} in the log: {self.log.read_text()[-2000:]}", seconds)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(10)

    def terminate(self, seconds: float = 30) -> int:
        """SIGTERM, and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@dataclass
class Installation:
    """A folder with `syncer.yaml`, the database it reads and the engine it writes to."""

    directory: Path
    source_url: str
    client: Elasticsearch
    alias: str
    #: The `elasticsearch` section.
    elasticsearch: Mapping[str, Any]
    env: dict[str, str] = field(default_factory=dict)

    def configure(self, table: str = "public.item", **pipeline: Any) -> None:
        """Write the configuration of one pipeline, named like the alias."""
        settings = {
            "source": {"url": self.source_url},
            "elasticsearch": dict(self.elasticsearch),
            "pipelines": {self.alias: {"table": table, **pipeline}},
        }
        (self.directory / "syncer.yaml").write_text(yaml.safe_dump(settings))

    def run(self, *arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "syncer", *arguments],
            cwd=self.directory,
            env=self._env(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def succeed(self, *arguments: str) -> str:
        """Run a command that must exit with 0, and return what it printed."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: str, exit_code: int = 0) -> Any:
        """Run a command with `--json`, and return its document."""
        done = self.run(*arguments, "--json")
        assert done.returncode == exit_code, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    @contextmanager
    def running(self, *arguments: str) -> Iterator[Running]:
        """Start a command, and kill it in the end if it still runs."""
        log = self.directory / f"log-{time.monotonic_ns()}.jsonl"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "syncer", "--log-format", "json", *arguments],
                cwd=self.directory,
                env=self._env(),
                stdout=subprocess.DEVNULL,
                stderr=stream,
            )
        try:
            yield Running(process, log)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)

    def sql(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement on the source in a transaction of its own."""
        with psycopg.connect(self.source_url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def indexed(self) -> dict[str, dict[str, Any]]:
        """Return the documents behind the alias by id, as they were sent, less what is syncer's own."""
        self.client.indices.refresh(index=self.alias)
        found = scan(self.client, index=self.alias, size=1000, query={"query": {"match_all": {}}})
        return {
            hit["_id"]: {name: value for name, value in hit["_source"].items() if name != "_syncer"} for hit in found
        }

    def rows(self, query: str = "SELECT * FROM public.item") -> dict[str, dict[str, Any]]:
        """Return what the table holds by id, as JSON by Postgres."""
        with psycopg.connect(self.source_url, autocommit=True, options="-c timezone=UTC") as connection:
            found = connection.execute(f"SELECT row_to_json(r) FROM ({query}) r").fetchall()
        return {str(row["id"]): row for (row,) in found}

    def assert_equal(self, query: str = "SELECT * FROM public.item") -> None:
        """Compare every row and field of the table with the index; shares no code with syncer's reading."""
        rows, documents = self.rows(query), self.indexed()
        missing = rows.keys() - documents.keys()
        extra = documents.keys() - rows.keys()
        stale = {
            key: (rows[key], documents[key]) for key in rows.keys() & documents.keys() if rows[key] != documents[key]
        }
        assert not missing, f"{len(missing)} lost, of {len(rows)}: {sorted(missing)[:5]}"
        assert not extra, f"{len(extra)} ghosts: {sorted(extra)[:5]}"
        assert not stale, f"{len(stale)} stale: {dict(list(stale.items())[:3])}"

    def _env(self) -> dict[str, str]:
        return {**os.environ, "HF_HUB_OFFLINE": "1", **self.env}
