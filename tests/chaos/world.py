"""The servers, the daemons and the writers of one scenario."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import psutil
import psycopg
import yaml

from tests.acceptance.installation import Installation, Running
from tests.chaos.journal import Journal
from tests.conftest import Elastic
from tests.services.bulk_proxy import BulkProxy
from tests.services.postgres import PostgresServer
from tests.services.proxy import Proxy


@dataclass
class World:
    """What a fault may lay its hands on. Its own connections go past the proxies."""

    chance: random.Random
    journal: Journal
    installation: Installation
    elastic: Elastic
    postgres: PostgresServer
    #: Of the source, without a proxy.
    source_url: str
    #: Between syncer and the source; syncer and Elasticsearch.
    source_proxy: Proxy | None = None
    elastic_proxy: Proxy | None = None
    bulk_proxy: BulkProxy | None = None
    #: A daemon may end by itself: a supervisor starts it again.
    may_end: bool = False
    over: threading.Event = field(default_factory=threading.Event)
    daemons: list[Running] = field(default_factory=list)
    #: Exit codes of commands.
    codes: list[int] = field(default_factory=list)
    _running: ExitStack = field(default_factory=ExitStack)

    def nap(self, shortest: float, longest: float) -> bool:
        """Wait a while; False when the fault is to end."""
        return not self.over.wait(self.chance.uniform(shortest, longest))

    def note(self, what: str) -> None:
        """Note what is done to the servers."""
        self.journal.fault(what)

    def start_daemon(self) -> Running:
        """Start another daemon."""
        daemon = self._running.enter_context(self.installation.running("run"))
        self.daemons.append(daemon)
        self.note(f"syncer {daemon.process.pid} started")
        return daemon

    def revive(self) -> None:
        """Replace daemons that ended by themselves, as a supervisor would."""
        for daemon in [each for each in self.daemons if each.process.poll() is not None]:
            self.daemons.remove(daemon)
            assert self.may_end, f"exit {daemon.process.returncode}: {daemon.log.read_text()[-2000:]}"
            self.note(f"syncer {daemon.process.pid} ended with {daemon.process.returncode}")
            self.start_daemon()

    def kill_daemon(self) -> None:
        """SIGKILL one of them."""
        daemon = self.daemons.pop(self.chance.randrange(len(self.daemons)))
        daemon.kill()
        self.note(f"syncer {daemon.process.pid} killed")

    def stop_daemons(self) -> None:
        """SIGTERM all of them; each must end well, but for one that has not begun to listen to signals."""
        for daemon in self.daemons:
            assert daemon.terminate() in {0, -signal.SIGTERM}, daemon.log.read_text()[-2000:]
        self.daemons.clear()

    def freeze(self, daemon: Running) -> psutil.Process:
        """SIGSTOP it."""
        daemon.process.send_signal(signal.SIGSTOP)
        self.note(f"syncer {daemon.process.pid} frozen")
        return psutil.Process(daemon.process.pid)

    def command(self, *arguments: str) -> int:
        """Run a syncer command to its end and return its exit code; the pipeline's name is the second word."""
        verb, *options = arguments
        self.note(f"syncer {' '.join(arguments)} began")
        done = self.installation.run(verb, self.installation.alias, *options)
        said = done.stderr.strip().splitlines()
        self.note(f"syncer {verb} ended with {done.returncode}: {said[-1][:200] if said else ''}")
        self.codes.append(done.returncode)
        return done.returncode

    def sql(self, statement: str) -> Sequence[tuple[Any, ...]]:
        """Run a statement on the source."""
        with psycopg.connect(self.source_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def end_sessions(self) -> None:
        """End all sessions of syncer on the server's side."""
        ended = self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name LIKE 'syncer%'"
        )
        self.note(f"{len(ended)} sessions of syncer ended")

    @property
    def index(self) -> str | None:
        """The physical index that the daemon follows, once it is there."""
        found = self.sql("SELECT name FROM syncer.indices WHERE followed AND phase <> 'new'")
        return str(found[0][0]) if found else None

    @property
    def loaded(self) -> bool:
        """Whether the first load is over: commands that deliver to the index refuse before."""
        return bool(self.sql("SELECT name FROM syncer.indices WHERE phase = 'live'"))

    def configure(self, pipeline: Mapping[str, Any], rest: Mapping[str, Any]) -> None:
        """Write the configuration; rest: further sections."""
        self.installation.configure(**pipeline)
        path = self.installation.directory / "syncer.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **rest}))

    def retype(self, **fields: object) -> None:
        """Write the configuration with other types of fields; a daemon that runs has read it before."""
        path = self.installation.directory / "syncer.yaml"
        settings = yaml.safe_load(path.read_text())
        settings["pipelines"][self.installation.alias]["fields"] |= fields
        # Whoever reads it meanwhile must not find half of it.
        fresh = path.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(settings))
        fresh.replace(path)

    def settle(self, seconds: float) -> None:
        """Wait until every checkpoint has passed all that was written: then everything must be in the index.

        Fails after so many seconds.
        """
        ((written,),) = self.sql("SELECT greatest(clock_timestamp(), max(updated_at)) FROM public.item")
        deadline = time.monotonic() + seconds
        while True:
            self.revive()
            # The checkpoint that a first load begins with lies above what it has still to load; and what a TRUNCATE
            # asks for is known once a checkpoint has passed it; so are the documents that a related row is part of.
            ((reached,),) = self.sql(
                "SELECT min(coalesce(watermark, '-infinity')) FROM syncer.checkpoints JOIN syncer.indices "
                "ON index = name WHERE followed AND phase = 'live' AND reconcile IS NULL "
                "AND NOT EXISTS (SELECT FROM syncer.fan_outs AS f WHERE f.index = name)"
            )
            if reached is not None and reached >= written:
                return
            log = self.daemons[0].log.read_text()[-2500:]
            assert time.monotonic() < deadline, f"checkpoint {reached} does not reach {written}: {log}"
            time.sleep(0.1)

    def close(self) -> None:
        """End what was started."""
        for daemon in self.daemons:
            daemon.process.send_signal(signal.SIGCONT)
        self._running.close()
        for proxy in (self.source_proxy, self.elastic_proxy):
            if proxy is not None:
                proxy.restore()
                proxy.stop()
        if self.bulk_proxy is not None:
            self.bulk_proxy.close()
