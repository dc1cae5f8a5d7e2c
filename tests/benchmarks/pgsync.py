"""pgsync as a user has it, with a Redis of its own: what the benchmarks measure syncer beside."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.acceptance.installation import Installation, eventually
from tests.benchmarks.measure import FIELDS

#: For one command.
LIMIT_SECONDS = 900
#: The fastest of those tried.
SETTINGS = {
    "ELASTICSEARCH_HTTP_COMPRESS": "false",
    "ELASTICSEARCH_CHUNK_SIZE": "1000",
    "QUERY_CHUNK_SIZE": "1000",
    # Of a bulk request. The default of 10 does not last on a busy machine.
    "ELASTICSEARCH_TIMEOUT": "120",
}
#: As it comes, but for what it needs to get to the end.
DEFAULTS = {"ELASTICSEARCH_TIMEOUT": "120"}
SLOTS = "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"


@dataclass
class Pgsync:
    """pgsync on the table of an installation, bootstrapped."""

    installation: Installation
    environment: Mapping[str, str]
    bin_dir: Path
    index: str

    def having(self, settings: Mapping[str, str]) -> Pgsync:
        """Return it with these settings in place of the fastest."""
        others = {name: value for name, value in self.environment.items() if name not in SETTINGS}
        return replace(self, environment={**others, **settings})

    def create_index(self) -> None:
        """Forget what was loaded; the index is as syncer's."""
        for checkpoint in self._directory.glob(".*"):
            checkpoint.unlink()
        indices = self.installation.client.indices
        indices.delete(index=self.index, ignore_unavailable=True)
        properties: dict[str, Any] = {name: {"type": kind} for name, kind in FIELDS.items()}
        # What pgsync keeps of the keys. It searches them only where tables are related.
        properties["_meta"] = {"type": "object", "enabled": False}
        settings = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "1s"}
        indices.create(index=self.index, mappings={"dynamic": "strict", "properties": properties}, settings=settings)

    def load(self, rows: int) -> float:
        """Return the seconds until all can be searched, without the start of Python."""
        self.create_index()
        seconds = self.sync()
        started = time.monotonic()
        self.installation.client.options(request_timeout=120).indices.refresh(index=self.index)
        assert self.installation.client.count(index=self.index)["count"] == rows
        return seconds + time.monotonic() - started

    def sync(self) -> float:
        """Return the seconds that one pass takes, as it tells itself."""
        told = re.findall(r"\((\d+\.\d+) sec\)", self.command("pgsync"))
        return float(told[-1])

    def command(self, *command: str) -> str:
        """Run it to its end, and return what it printed."""
        done = subprocess.run(
            [self.bin_dir / command[0], *command[1:]],
            cwd=self._directory,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    @contextmanager
    def following(self, option: str, settings: Mapping[str, str]) -> Iterator[None]:
        """Run a daemon, and kill it in the end."""
        log = self._directory / "log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [self.bin_dir / "pgsync", option],
                cwd=self._directory,
                env={**self.environment, **settings},
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        try:
            yield
            assert process.poll() is None, log.read_text()[-4000:]
        finally:
            process.kill()
            process.wait(10)

    @property
    def _directory(self) -> Path:
        return self.installation.directory / "pgsync"


@contextmanager
def bootstrapped(installation: Installation) -> Iterator[Pgsync]:
    """Yield pgsync on the table `public.page`, which is there; its replication slot is gone in the end.

    Where something that it needs is absent the test is skipped.
    """
    bin_dir = Path(os.environ.get("SYNCER_BENCH_PGSYNC", "absent")).absolute()
    if not (bin_dir / "pgsync").exists():
        pytest.skip("SYNCER_BENCH_PGSYNC names no folder with pgsync in it")
    redis = shutil.which("redis-server", path=f"{bin_dir}{os.pathsep}{os.environ['PATH']}")
    if not redis:
        pytest.skip(f"no redis-server in {bin_dir} or the path")
    if installation.elasticsearch.keys() != {"hosts"}:
        pytest.skip("needs an Elasticsearch that asks for no password")
    try:
        installation.sql(
            "SELECT pg_create_logical_replication_slot('probe_' || pg_backend_pid(), 'test_decoding', true)"
        )
    except psycopg.Error as error:
        pytest.skip(f"this Postgres decodes no WAL for pgsync: {error}")
    with _redis(redis, installation.directory) as url:
        made = _configured(installation, bin_dir, url)
        made.create_index()
        try:
            made.command("bootstrap")
            yield made
        finally:
            eventually(lambda: not installation.sql(f"{SLOTS} AND active"), "nobody reads the slot")
            installation.sql(f"SELECT pg_drop_replication_slot(slot_name) FROM ({SLOTS}) slots")


def _configured(installation: Installation, bin_dir: Path, redis_url: str) -> Pgsync:
    directory = installation.directory / "pgsync"
    directory.mkdir()
    index = f"{installation.alias}-pgsync"
    node = {"table": "page", "schema": "public", "columns": list(FIELDS)}
    database = installation.source_url.rsplit("/", 1)[1]
    (directory / "schema.json").write_text(json.dumps([{"database": database, "index": index, "nodes": node}]))
    environment = {
        **os.environ,
        "SCHEMA": "schema.json",
        "PG_URL": installation.source_url,
        "ELASTICSEARCH_URL": installation.elasticsearch["hosts"][0],
        "REDIS_URL": redis_url,
        **SETTINGS,
    }
    return Pgsync(installation, environment, bin_dir, index)


@contextmanager
def _redis(program: str, directory: Path) -> Iterator[str]:
    """Run a Redis that keeps nothing on disk."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        cwd=directory,
        stdout=subprocess.DEVNULL,
    )

    def answers() -> bool:
        assert process.poll() is None, f"{program} ended with {process.returncode}"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
        return False

    try:
        eventually(answers, "Redis answers")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait(10)
