"""One scenario: random writers, one schedule of faults, and a comparison of every row and field in the end."""

from __future__ import annotations

import random
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from tests.acceptance.installation import Installation
from tests.chaos import related
from tests.chaos.change import COLD, FIELDS, SCHEMA, STILL, Stamp
from tests.chaos.checker import Verdict, compare
from tests.chaos.fault import Fault
from tests.chaos.journal import Journal
from tests.chaos.world import World
from tests.chaos.writer import Habits, Writer
from tests.conftest import Elastic
from tests.services.bulk_proxy import BulkProxy
from tests.services.postgres import PostgresServer
from tests.services.proxy import Proxy

#: How long writers write.
STORM_SECONDS = (3.0, 7.0)
WRITERS = 4
#: Between two transactions of a writer, at most; and of one that writes for as long as the fault takes.
PAUSE_SECONDS = 0.03
LONG_PAUSE_SECONDS = 0.4
#: How long a fault may take that comes to an end by itself.
END_SECONDS = 600.0
#: How long the daemon may take to catch up with all that was written. Its longest pause is 30 s.
PATIENCE_SECONDS = 100.0
#: The share of scenarios whose documents are made of several tables.
RELATED = 0.5
#: More than a scenario can spoil.
REJECTIONS_MAX = 100_000

PRELOAD = f"""
INSERT INTO public.item ({", ".join(FIELDS)})
SELECT i, 0, 'first ' || i, i / 8.0, i / 16.0, '{{}}', i::text, 'tenant ' || i % 5, i < 0 OR i % 10 > 0, now()
FROM generate_series(-{STILL}, {COLD} - 1) i
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a scenario."""

    fault: str
    seed: int
    stamp: Stamp
    related: bool
    verdict: Verdict
    changes: int
    seconds: float
    #: Of what is wrong: the last changes of some of the keys, the faults, and how to run it again.
    explanation: str = ""

    def __str__(self) -> str:
        tables = "many" if self.related else "one"
        return (
            f"{self.fault:<20} seed={self.seed} {self.stamp.name.lower():<6} tables={tables} rows={self.verdict.rows} "
            f"changes={self.changes} seconds={self.seconds:.0f} {self.verdict}"
        )


class Scenario:
    """Everything random in it comes from the seed; threads, processes and servers keep their own time."""

    def __init__(
        self, fault: Fault, seed: int, directory: Path, postgres: PostgresServer, source_url: str, elastic: Elastic
    ) -> None:
        """source_url: of an empty database on that server."""
        self._fault = fault
        self._seed = seed
        self._chance = random.Random(f"{fault.name} {seed}")
        self._directory = directory
        self._postgres = postgres
        self._source_url = source_url
        self._elastic = elastic
        self._journal = Journal()
        apart = random.Random(f"related {fault.name} {seed}")
        #: Documents are made of several tables.
        self._related = apart.random() < RELATED
        #: Without, what they would note is found by verify.
        self._triggers = not self._related or fault.compares or apart.random() < 0.75
        # Twice as often the one with the least margin, which forgives least.
        self._habits = Habits(
            self._chance.choice([Stamp.FINE, *Stamp]),
            hard_deletes=True,
            spoil=fault.spoil,
            related=self._related,
            # What is written for minutes must not become more than the servers of a test take.
            pause_seconds=LONG_PAUSE_SECONDS if fault.ends else PAUSE_SECONDS,
        )

    def run(self, alias: str) -> Result:
        """Run it to its end; raises AssertionError where it does not come to one."""
        started = time.monotonic()
        with ExitStack() as stack:
            world = self._world(alias)
            stack.callback(world.close)
            self._prepare(world)
            self._storm(world)
            world.revive()
            self._catch_up(world)
            verdict = compare(self._source_url, self._elastic.client, alias, self._journal, related=self._related)
            result = Result(
                self._fault.name,
                self._seed,
                self._habits.stamp,
                self._related,
                verdict,
                self._journal.changes,
                time.monotonic() - started,
            )
            return replace(result, explanation=self._explain(result)) if verdict.wrong else result

    def _world(self, alias: str) -> World:
        """Put proxies in between, where the fault wants them."""
        fault, elastic = self._fault, self._elastic
        # Shorter than a stall of the proxy; elsewhere a busy machine must not pass for a server that is away.
        settings: dict[str, object] = {"request_timeout": "4s" if fault.elastic_proxy or fault.bulk_proxy else "15s"}
        if elastic.username:
            settings |= {"username": elastic.username, "password": elastic.password}
        source_url, elastic_url = self._source_url, elastic.url
        source_proxy = elastic_proxy = bulk_proxy = None
        if fault.source_proxy:
            source_proxy = _proxy(source_url)
            source_url = source_proxy.url(source_url)
        if fault.elastic_proxy:
            elastic_proxy = _proxy(elastic_url)
            elastic_url = elastic_proxy.url(elastic_url)
        if fault.bulk_proxy:
            bulk_proxy = BulkProxy(elastic_url, self._seed, elastic.ca_certs)
            elastic_url = bulk_proxy.url
        elif elastic.ca_certs:
            settings["ca_certs"] = elastic.ca_certs
        installation = Installation(
            self._directory, source_url, elastic.client, alias, {"hosts": [elastic_url], **settings}
        )
        return World(
            self._chance,
            self._journal,
            installation,
            elastic,
            self._postgres,
            self._source_url,
            source_proxy,
            elastic_proxy,
            bulk_proxy,
            fault.may_end,
        )

    def _prepare(self, world: World) -> None:
        chance = self._chance
        world.sql(SCHEMA)
        world.sql(PRELOAD)
        if self._related:
            world.sql(related.SCHEMA)
        poll = {
            "interval": f"{chance.choice([50, 100, 300])}ms",
            "batch_rows": chance.choice([20, 100, 1000]),
            "margin": self._habits.stamp.margin,
        }
        # The state's sessions go through the proxy to the source, or past it.
        rest: dict[str, object] = {"state": {"url": self._source_url}} if chance.random() < 0.3 else {}
        # Routed, a row that changes its tenant changes its shard, and could be there twice. What the embedded engine
        # finds does not say how it is routed, so that no comparison can tell a copy from the document.
        routed = chance.random() < 0.4 and self._triggers and (self._elastic.real or not self._fault.compares)
        world.configure(
            {
                **({"routing": "tenant"} if routed else {}),
                "soft_delete": "deleted_at",
                "where": "visible",
                "fields": {**FIELDS, **(related.FIELDS if self._related else {})},
                **({"relations": related.RELATIONS} if self._related else {}),
                "poll": poll,
                "index": {"replicas": 0, "shards": 3 if routed else 1},
                "limits": {"rejections": REJECTIONS_MAX},
            },
            rest,
        )
        world.installation.succeed("migrate")
        if self._triggers:
            world.installation.succeed("install-triggers", world.installation.alias)

    def _storm(self, world: World) -> None:
        """Write while the fault rages; either of them ends first."""
        chance = self._chance
        writers = [
            Writer(self._source_url, number, f"{self._fault.name} {self._seed}", self._habits, self._journal)
            for number in range(1, WRITERS + 1)
        ]
        for _ in range(self._fault.daemons):
            world.start_daemon()
        if chance.random() < 0.7:  # else the first load is in the storm too
            world.daemons[0].wait_for("attached") if self._fault.daemons == 1 else time.sleep(2)
        raging = _Raging(self._fault, world)
        threads: list[Writer | _Raging] = [*writers, raging]
        for thread in threads:
            thread.start()
        if self._fault.ends:
            raging.join(END_SECONDS)
        else:
            time.sleep(chance.uniform(*STORM_SECONDS))
        if chance.random() < 0.3:
            world.over.set()
            time.sleep(chance.uniform(0, 2))
        for writer in writers:
            writer.stop()
        if not world.over.wait(chance.uniform(0, 1.5)):
            world.over.set()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive(), f"{thread.name} does not end\n{self._journal.faults()}"
            assert thread.error is None, f"{thread.error!r}\n{self._journal.faults()}"

    def _catch_up(self, world: World) -> None:
        """By the daemons that lived through it, or by a new process, which knows the checkpoints alone."""
        if self._chance.random() < 0.7:
            world.settle(PATIENCE_SECONDS)
        else:
            world.stop_daemons()
            done = world.installation.run("run", "--once")
            assert done.returncode in {0, 1}, done.stderr[-4000:]
        if not self._triggers:
            world.stop_daemons()
            done = world.installation.run("verify", world.installation.alias, "--repair", "--force")
            assert done.returncode in {0, 1}, done.stderr[-4000:]

    def _explain(self, result: Result) -> str:
        verdict = result.verdict
        kept = self._directory / f"history-{uuid4().hex[:6]}"
        kept.write_text("\n".join(self._journal.history(key, 1000) for key in verdict.wrong))
        return "\n".join(
            [
                str(result),
                *(f"{self._journal.history(key)}\n  {verdict.difference.get(key, '')}" for key in verdict.wrong[:5]),
                "faults:",
                self._journal.faults(),
                f"logs and histories: {self._directory}",
                f"again: pytest tests/chaos --chaos-seed {self._seed} -k {self._fault.name}",
            ]
        )


class _Raging(threading.Thread):
    """The fault, beside the writers."""

    def __init__(self, fault: Fault, world: World) -> None:
        super().__init__(daemon=True, name=fault.name)
        self._fault = fault
        self._world = world
        #: What ended it, if anything did.
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._fault.schedule(self._world)
        except BaseException as error:
            self.error = error


def _proxy(url: str) -> Proxy:
    parts = urlsplit(url)
    return Proxy(str(parts.hostname), parts.port or 0)
