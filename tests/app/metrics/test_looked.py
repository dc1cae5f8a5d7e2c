"""What a look at the servers tells, as metrics."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from syncer.adapters.clock import SystemClock
from syncer.adapters.memory.clock import MemoryClock
from syncer.app.commands.schedule import ScheduledJob
from syncer.app.metrics.definition import DEFINITIONS, Kind
from syncer.app.metrics.looked import LookCollector
from syncer.app.metrics.measured import Measured
from syncer.app.metrics.watched import WatchCollector
from syncer.app.pipeline_report import PipelineReport, Reporter
from syncer.app.redaction import redactor
from syncer.app.schedule_settings import Job
from syncer.app.settings import Settings
from syncer.app.status import PipelineStatus
from syncer.app.status_board import Board, Look
from syncer.app.wiring import Application
from syncer.core.cluster import ClusterLook
from syncer.core.overview import Holder, Overview
from syncer.core.problem import Problem, ProblemKind
from syncer.core.run import Run, RunOutcome
from syncer.core.source_state import Blocker
from tests.app.deployment import Deployment

_NOW = MemoryClock().now()


def exported(**seen: PipelineReport) -> Mapping[tuple[str, ...], float]:
    """Return the values of a look by name and labels, but those of the pipeline."""
    registry = CollectorRegistry()
    board = Board(Look(0.0, _NOW, seen), 1.5, None)
    registry.register(LookCollector(lambda: board))
    text = generate_latest(registry).decode()
    return {
        (sample.name, *(value for label, value in sorted(sample.labels.items()) if label != "pipeline")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_pipeline_is_told_as_status_tells_it(deployment: Deployment) -> None:
    """From the same look."""
    deployment.configure(fields={"title": "text", "price": "integer"}, schedule={"verify": "0 3 * * *"})
    deployment.sql("INSERT INTO articles VALUES (1, 'apple', '3'), (2, 'pear', 'cheap')")
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("run", "--once")[0] == 1
    assert deployment.run("verify", "articles")[0] == 1
    clock = SystemClock()
    application = Application(Settings.load(deployment.folder / "syncer.yaml", {}), clock)
    with closing(Reporter(lambda _: application, clock, ["articles"], redactor(()))) as reporter:
        found = exported(**reporter())
    application.close()
    assert found["syncer_look_age_seconds",] == 1.5
    assert found["syncer_index_documents",] == 1
    assert found["syncer_dead_letters",] == 1
    assert found["syncer_pipeline_state", "stopped"] == 1
    assert found["syncer_pipeline_state", "following"] == 0
    assert found["syncer_verify_differences",] == 1
    assert found["syncer_index_bytes",] >= 0
    assert 0 <= found["syncer_lag_seconds",] < 3600
    assert found["syncer_job_started_timestamp_seconds", "verify", "remainder"] > 1.7e9
    assert ("syncer_verified_timestamp_seconds",) not in found


def test_who_holds_a_lease_is_one_series_for_each_machine() -> None:
    """Not for each session: there is no end of those."""
    for pid, address, told in ((12, "10.0.0.3", "10.0.0.3"), (13, "10.0.0.3", "10.0.0.3"), (14, None, "local")):
        status = PipelineStatus("items", "following", overview=Overview({}, 0, 0, Holder(pid, "syncer", address, _NOW)))
        found = exported(items=PipelineReport(status))
        assert [name for name in found if name[0] == "syncer_lease_info"] == [("syncer_lease_info", told)]


def test_what_is_not_known_is_left_out() -> None:
    """A 0 would be taken for good news."""
    found = exported(
        items=PipelineReport(
            PipelineStatus("items", "following", problems=[Problem(ProblemKind.SOURCE, "the source is away")])
        )
    )
    assert found["syncer_problems",] == 1
    assert found["syncer_pipeline_state", "following"] == 1
    for name in ("syncer_lag_seconds", "syncer_index_documents", "syncer_dead_letters", "syncer_blocker_age_seconds"):
        assert (name,) not in found


def test_the_oldest_open_transaction_is_told_by_the_source_s_clock() -> None:
    """0 where there is none."""
    blockers = [Blocker(pid, "report", "idle", _NOW - timedelta(seconds=age)) for pid, age in ((1, 30), (2, 90))]
    status = PipelineStatus("items", "following", source_time=_NOW, blockers=blockers)
    assert exported(items=PipelineReport(status))["syncer_blocker_age_seconds",] == 90
    assert exported(items=PipelineReport(replace(status, blockers=[])))["syncer_blocker_age_seconds",] == 0


def test_what_a_verification_has_mended_is_no_difference() -> None:
    """One that did not come to its end tells nothing."""
    detail = {"complete": True, "missing": 3, "stale": 2, "unreadable": 1, "repaired": 4}

    def differences(detail: Mapping[str, object]) -> float | None:
        run = Run("items", "verify", None, None, _NOW, _NOW, RunOutcome.REMAINDER, detail, "host", 1)
        job = ScheduledJob("items", Job.VERIFY, None, "UTC", None, run)
        report = PipelineReport(PipelineStatus("items", "following"), jobs=[job])
        return exported(items=report).get(("syncer_verify_differences",))

    assert differences(detail) == 1
    assert differences({**detail, "complete": False}) is None
    assert differences({"error": "the source is away"}) is None


def test_nothing_is_told_before_the_first_look() -> None:
    """But for the version."""
    registry = CollectorRegistry()
    registry.register(LookCollector(lambda: Board(None, float("inf"), "away")))
    assert b"syncer_info{" in generate_latest(registry)
    assert b"lag" not in generate_latest(registry)


def test_every_definition_is_exported_as_it_says() -> None:
    """By its name, with its kind and its labels, from one place or another."""
    registry = CollectorRegistry()
    board = Board(Look(0.0, _NOW, {}), 0.0, None)
    registry.register(LookCollector(lambda: board))
    registry.register(WatchCollector(lambda: ClusterLook(0.0), lambda: ()))
    Measured(registry, MemoryClock())
    found = {family.name: family for family in registry.collect()}
    for definition in DEFINITIONS:
        name = definition.name.removesuffix("_total") if definition.kind is Kind.COUNTER else definition.name
        family = found.pop(name)
        assert (family.type, family.documentation) == (definition.kind.value, definition.help)
    assert not found


def test_names_follow_the_conventions() -> None:
    """Counters end in `_total`, nothing else does; a unit is a base unit, at the end; each has a help."""
    for definition in DEFINITIONS:
        assert definition.name.startswith("syncer_")
        assert definition.name.endswith("_total") == (definition.kind is Kind.COUNTER)
        assert not definition.name.endswith(("_ms", "_milliseconds", "_minutes", "_mb", "_percent"))
        assert definition.help.endswith(".")
        assert bool(definition.buckets) == (definition.kind is Kind.HISTOGRAM)
