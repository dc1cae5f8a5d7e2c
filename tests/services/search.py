"""A search engine for tests: the embedded one, a container's, or a real Elasticsearch that is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

import psutil
import pytest
from elasticsearch import Elasticsearch

from syncer.app.demo.embedded import EmbeddedSearch


class SearchServer(Protocol):
    """A server that tests write to; kill, stop and start skip the test where it is not ours."""

    @property
    def url(self) -> str: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...


class OwnSearch(EmbeddedSearch):
    """noida-db in a temporary folder on a free port, gone with the test process.

    A kill loses the writes of the last seconds, which it had acknowledged: Elasticsearch keeps them.
    """

    def __init__(self) -> None:
        super().__init__(Path(tempfile.mkdtemp(prefix="syncer-search-")))

    def kill(self) -> None:
        """SIGKILL it."""
        assert self._guard is not None
        family = psutil.Process(self._guard.pid).children()
        for process in family:
            process.kill()
        self.stop()

    def delete(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


class ForeignSearch:
    """A server that somebody else runs; a script may know how to start and end it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def start(self) -> None:
        self._control("start")

    def stop(self) -> None:
        self._control("stop")

    def kill(self) -> None:
        self._control("kill")

    def _control(self, action: str) -> None:
        script = os.environ.get("SYNCER_TEST_ELASTICSEARCH_CONTROL")
        if not script:
            pytest.skip("SYNCER_TEST_ELASTICSEARCH_CONTROL names no script that can do this")
        subprocess.run([script, action], check=True, stdout=subprocess.DEVNULL)


def lose_data(client: Elasticsearch, index: str) -> None:
    """Allocate the only shard of an index anew, with nothing in it; the index keeps its UUID."""
    node = next(iter(client.nodes.info()["nodes"].values()))["name"]
    shard = {"index": index, "shard": 0, "node": node}
    commands = [
        {"cancel": {**shard, "allow_primary": True}},
        {"allocate_empty_primary": {**shard, "accept_data_loss": True}},
    ]
    client.cluster.reroute(commands=commands, metric="none")
    client.cluster.health(index=index, wait_for_status="green", timeout="30s")
