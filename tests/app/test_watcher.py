"""Watchers of several processes, on one state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pytest
from structlog.testing import capture_logs

from syncer.adapters.memory.clock import MemoryClock
from syncer.adapters.postgres.alerts import PostgresAlerts
from syncer.app.pipeline_report import PipelineReport
from syncer.app.query_times import QueryTimes
from syncer.app.status import PipelineStatus
from syncer.app.watcher import Sights, Watcher
from syncer.core.alert import Kept
from syncer.core.alert_rule import Thresholds
from syncer.core.cluster import ClusterLook, NodeLook
from syncer.core.error import AccessDenied, SinkUnavailable, StateUnavailable
from syncer.core.problem import Problem, ProblemKind
from tests.adapters.postgres.waiting import wait_for
from tests.contract.shared_state import PostgresState

GREEN = ClusterLook(0.0, "c", "green", 1, 0, 0, 0, [NodeLook("a", 40, 60, search_rejected=0, write_rejected=0)])


@dataclass
class World:
    """What there is to see, and what was told."""

    clock: MemoryClock = field(default_factory=MemoryClock)
    cluster: ClusterLook | None = GREEN
    status: PipelineStatus = field(default_factory=lambda: PipelineStatus("items", "following", lag_seconds=1.0))
    query_seconds: float = 0.01
    state_away: bool = False
    denied: bool = False
    served: QueryTimes | None = None
    told: list[tuple[str, str, str]] = field(default_factory=list)

    def watcher(self, name: str, alerts: PostgresAlerts) -> Watcher:
        def pipelines(_: Sequence[str]) -> dict[str, PipelineReport]:
            if self.denied:
                raise AccessDenied("permission denied for table alerts", hint="grant it")
            if self.state_away:
                raise StateUnavailable("no route to host", hint="start it")
            return {"items": PipelineReport(self.status)}

        def cluster() -> ClusterLook:
            if self.cluster is None:
                raise SinkUnavailable("connection refused")
            return self.cluster

        def tell(status: str, kept: Sequence[Kept]) -> None:
            self.told += [(name, status, one.alert.name) for one in kept]

        def probe(_: str) -> None:
            self.clock.advance(self.query_seconds)
            if self.query_seconds > 5:
                raise SinkUnavailable("no answer in 5 s")

        sights = Sights(pipelines, cluster, probe)
        return Watcher(
            ["items"],
            sights,
            alerts,
            Thresholds(),
            self.clock,
            tell,
            lambda text: text.replace("pass", "***"),
            self.served,
        )


@pytest.fixture(name="open_alerts")
def _open_alerts(postgres_url: str) -> Iterator[Callable[[], PostgresAlerts]]:
    state = PostgresState(postgres_url)
    with ExitStack() as stack:
        stack.callback(state.close)

        def open_alerts() -> PostgresAlerts:
            made = PostgresAlerts(postgres_url, "syncer")
            stack.callback(made.close)
            return made

        yield open_alerts


def test_two_processes_and_a_restart_tell_once(open_alerts: Callable[[], PostgresAlerts]) -> None:
    """That it fires, and that it resolves; all of them know what fires."""
    world = World()
    sessions = [open_alerts(), open_alerts()]
    first, second = (world.watcher(name, alerts) for name, alerts in zip(("first", "second"), sessions, strict=True))
    first.look()
    world.cluster = replace(GREEN, status="red", unassigned_shards=1)
    world.status.state = "stopped"
    for _ in range(6):
        world.clock.advance(15)
        first.look()
        second.look()
    assert world.told == [("first", "firing", "SyncerClusterRed"), ("first", "firing", "SyncerStopped")]
    assert {alert.name for alert in second.firing} == {"SyncerClusterRed", "SyncerStopped"}
    sessions[0].close()
    wait_for(lambda: sessions[1].hold("cluster") and sessions[1].hold("pipeline items"))
    third = world.watcher("third", open_alerts())
    for _ in range(3):
        world.clock.advance(15)
        second.look()
        third.look()
    world.cluster, world.status.state = GREEN, "following"
    for _ in range(6):
        world.clock.advance(15)
        second.look()
        third.look()
    assert world.told[2:] == [("second", "resolved", "SyncerClusterRed"), ("second", "resolved", "SyncerStopped")]
    assert (second.firing, third.firing) == ([], [])


def test_a_pipeline_that_ends_with_an_error_is_told_at_once(open_alerts: Callable[[], PostgresAlerts]) -> None:
    """And once, however long nobody follows it then; what else holds is left as it is."""
    world = World()
    world.status.problems = [Problem(ProblemKind.PUT_OFF, "documents are put off")]
    watcher = world.watcher("first", open_alerts())
    for _ in range(3):
        world.clock.advance(15)
        watcher.look()
    watcher.ended("items", "IndexMissing")
    assert world.told == [("first", "firing", "SyncerTrouble"), ("first", "firing", "SyncerStopped")]
    world.status.state = "stopped"
    for _ in range(6):
        world.clock.advance(15)
        watcher.look()
    assert len(world.told) == 2
    world.status.state = "following"
    for _ in range(6):
        world.clock.advance(15)
        watcher.look()
    assert world.told[2:] == [("first", "resolved", "SyncerStopped")]


def test_what_is_away_resolves_nothing(open_alerts: Callable[[], PostgresAlerts]) -> None:
    """A red cluster that does not answer is red still, as far as is known."""
    world = World(cluster=replace(GREEN, status="red"))
    watcher = world.watcher("first", open_alerts())
    for _ in range(3):
        world.clock.advance(15)
        watcher.look()
    world.cluster = None
    world.status.problems = [
        Problem(ProblemKind.ELASTICSEARCH, "Elasticsearch cannot be looked at: connection refused for pass")
    ]
    for _ in range(10):
        world.clock.advance(15)
        watcher.look()
    assert watcher.cluster is None
    assert world.told == [("first", "firing", "SyncerClusterRed"), ("first", "firing", "SyncerTrouble")]
    trouble = next(alert for alert in watcher.firing if alert.name == "SyncerTrouble")
    assert trouble.message == "pipeline items: Elasticsearch cannot be looked at: connection refused for ***"


def test_slow_queries_are_told(open_alerts: Callable[[], PostgresAlerts]) -> None:
    """Of those that the watcher sends, once there are some."""
    world = World(query_seconds=2.0)
    watcher = world.watcher("first", open_alerts())
    for _ in range(40):
        world.clock.advance(15)
        watcher.look()
        watcher.send_queries(15.0)
    assert world.told == [("first", "firing", "SyncerSlowQueries")]
    world.query_seconds = 0.01
    for _ in range(60):
        world.clock.advance(15)
        watcher.look()
        watcher.send_queries(15.0)
    assert world.told[1:] == [("first", "resolved", "SyncerSlowQueries")]


def test_queries_that_are_given_up_are_the_slowest(open_alerts: Callable[[], PostgresAlerts]) -> None:
    """They take a part of the time between two looks, however long each takes."""
    world = World(query_seconds=6.0)
    watcher = world.watcher("first", open_alerts())
    watcher.look()
    started = world.clock.monotonic()
    watcher.send_queries(15.0)
    assert world.clock.monotonic() - started == 12.0
    for _ in range(200):
        watcher.look()
        watcher.send_queries(1.0)
        if world.told:
            break
    assert world.told == [("first", "firing", "SyncerSlowQueries")]


def test_requests_that_nobody_answers_any_more_are_not_slow(open_alerts: Callable[[], PostgresAlerts]) -> None:
    """The process that told of them has ended: one that remains tells that it is over."""
    world = World(served=QueryTimes(measured="syncer serve"))
    assert world.served is not None
    for _ in range(100):
        world.served.add(world.clock.monotonic(), 3.0)
    session = open_alerts()
    world.watcher("serve", session).look()
    session.close()
    world.served = None
    remaining = world.watcher("run", open_alerts())
    for _ in range(6):
        world.clock.advance(15)
        remaining.look()
    assert world.told == [("serve", "firing", "SyncerSlowQueries"), ("run", "resolved", "SyncerSlowQueries")]
    # Who serves again has it at once.
    assert open_alerts().hold("served")


def test_slow_requests_are_told(open_alerts: Callable[[], PostgresAlerts]) -> None:
    """Of those that the process answers itself, though the watcher's own queries are fast."""
    world = World(served=QueryTimes(measured="syncer serve"))
    assert world.served is not None
    watcher = world.watcher("first", open_alerts())
    for number in range(100):
        world.served.add(world.clock.monotonic(), 3.0 if number % 50 == 0 else 0.01)
    watcher.look()
    (alert,) = watcher.firing
    assert (alert.name, alert.labels) == ("SyncerSlowQueries", {"measured": "syncer serve"})
    assert alert.message.startswith("one of a hundred queries takes 3.00 s or more, of 100 in 10 minutes")


def test_that_nothing_can_be_judged_is_told_once(open_alerts: Callable[[], PostgresAlerts]) -> None:
    """In the log: the state database is away."""
    world = World(state_away=True)
    watcher = world.watcher("first", open_alerts())
    looks = iter([False] * 5)
    with capture_logs() as logs:
        watcher.run(15.0, lambda: next(looks, True))
    (line,) = [each for each in logs if each["event"] == "alerts are not judged"]
    assert (line["error"], line["hint"]) == ("no route to host", "start it")


def test_a_right_that_is_missing_is_waited_for(open_alerts: Callable[[], PostgresAlerts]) -> None:
    """It may be granted while the process runs; until then others judge, and nothing is shown as firing."""
    world = World(denied=True, cluster=replace(GREEN, status="red"))
    watcher = world.watcher("first", open_alerts())
    looks: list[bool] = []

    def ended() -> bool:
        looks.append(True)
        world.denied = len(looks) < 4
        return len(looks) > 40

    with capture_logs() as logs:
        watcher.run(15.0, ended)
    assert [each["hint"] for each in logs if each["event"] == "alerts are not judged"] == ["grant it"]
    assert [alert.name for alert in watcher.firing] == ["SyncerClusterRed"]
