"""How far a pipeline is; what is away is left out, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings
from syncer.adapters.postgres.feed import Unreachable, unreachable
from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.source import PostgresSource
from syncer.adapters.postgres.tables import TOMBSTONES
from syncer.adapters.postgres.way_back import feed_name
from syncer.app.blueprint import Blueprint
from syncer.app.building import Building, building
from syncer.app.deviation import Deviation, deviation
from syncer.app.straying import straying
from syncer.app.wiring import Application
from syncer.core.error import SourceUnavailable, SyncerError
from syncer.core.fingerprint import differences
from syncer.core.index import IndexRecord, Phase
from syncer.core.overview import Overview
from syncer.core.position import BEGINNING
from syncer.core.problem import Problem, ProblemKind
from syncer.core.settlement import Checkpoint
from syncer.core.source_state import Blocker
from syncer.core.text_counts import TextCounts
from syncer.ports import Clock

T = TypeVar("T")


@dataclass(slots=True)
class PipelineStatus:
    """What is known of one pipeline now; None: not known, and `problems` say why, and what else is wrong."""

    name: str
    #: `new`, `loading`, `following`, `paused`, or `stopped`: nobody holds the lease.
    state: str
    record: IndexRecord | None = None
    overview: Overview | None = None
    paused_since: datetime | None = None
    #: None: nothing is embedded.
    texts: TextCounts | None = None
    documents: int | None = None
    checkpoint: datetime | None = None
    horizon_lag_seconds: float | None = None
    lag_seconds: float | None = None
    #: The configuration's.
    fingerprint: Mapping[str, str] | None = None
    fingerprint_matches: bool | None = None
    #: The parts of the fingerprint that differ from the configuration.
    changed: Sequence[str] = ()
    deviation: Deviation | None = None
    #: None: there is none.
    building: Building | None = None
    #: Rows settled and rows in all.
    load: tuple[int, int] | None = None
    blockers: Sequence[Blocker] | None = None
    #: When the source was looked at, by its own clock.
    source_time: datetime | None = None
    unreachable: Unreachable | None = None
    #: It takes too long.
    uncounted: bool = False
    problems: list[Problem] = field(default_factory=list)

    def document(self) -> Mapping[str, Any]:
        """Return the fields that scripts rely on, and what else is known."""
        record = self.record
        return {
            "name": self.name,
            "state": self.state,
            "paused_since": _text(self.paused_since),
            "phase": record.phase.value if record else None,
            "index": record.name if record else None,
            "documents": self.documents,
            "texts": _texts(self.texts),
            "checkpoint": _text(self.checkpoint),
            "horizon_lag_seconds": self.horizon_lag_seconds,
            "lag_seconds": self.lag_seconds,
            "dead_letters": self.overview.dead_letters if self.overview else 0,
            "dead_letters_retried": self.overview.passing if self.overview else 0,
            "fan_outs": self.overview.fan_outs if self.overview else 0,
            "fingerprint_matches": self.fingerprint_matches,
            "fingerprint_differs_in": list(self.changed),
            "differences": list(self.deviation.differences) if self.deviation else [],
            "differences_remedy": self.deviation.remedy if self.deviation else None,
            "verify_needed": bool(record and (record.verify_needed or record.reconcile)),
            "verify_reason": record.verify_needed if record else None,
            "verified_at": _text(record.verified_at) if record else None,
            "truncated_at": _text(record.truncated) if record else None,
            "holder": str(self.overview.holder) if self.overview and self.overview.holder else None,
            "building": self.building.document() if self.building else None,
            "filling": bool(record and record.filling),
            "load": dict(zip(("settled", "total"), self.load, strict=True)) if self.load else None,
            "blockers": None if self.blockers is None else [_blocker(blocker) for blocker in self.blockers],
            "unreachable": _counts(self.unreachable),
            "problems": [problem.said for problem in self.problems],
        }


def pipeline_status(
    application: Application, clock: Clock, name: str, session: Session | None = None
) -> PipelineStatus:
    """Return what is known of a pipeline; session: of the source, for looks, that whoever asks often keeps.

    Raises StateUnavailable, and ConfigurationError without a state schema.
    """
    if session is None:
        session = application.looking_session()
        try:
            return pipeline_status(application, clock, name, session)
        finally:
            session.close()
    store = application.store
    record = store.index(name)
    overview = store.overview(record.name) if record else None
    paused_since = store.paused(name)
    state = "paused" if paused_since else _state(record, overview)
    status = PipelineStatus(name, state, record, overview, paused_since, building=building(store, name))
    plan = _known(application, status, ProblemKind.TABLE, lambda: application.blueprint(name, session))
    now = clock.now()
    if plan is not None:
        status.fingerprint = plan.fingerprint
        now = _known(application, status, ProblemKind.SOURCE, lambda: _look_at_source(session, plan, status)) or now
    if record is None or overview is None:
        return status
    if application.settings.pipelines[name].embedding:
        status.texts = record.texts
    if plan is not None and record.fingerprint:
        status.changed = differences(record.fingerprint, plan.fingerprint)
        status.fingerprint_matches = not status.changed
        status.deviation = deviation(store, plan, record)
    if record.phase is Phase.LIVE or record.identity:
        _known(application, status, ProblemKind.ELASTICSEARCH, lambda: _look_at_index(application, record, status))
    status.load = store.load_progress(record.name)
    zone = application.settings.pipelines[name].watermark_zone
    zones = _zones(plan) if plan else {}
    # Stamped by the source's own clock.
    tombstones = f"{application.settings.state.schema_}.{TOMBSTONES} of "
    # Before it is loaded nobody searches the index, so that nothing lags.
    for feed, checkpoint in overview.checkpoints.items() if record.phase is Phase.LIVE else ():
        if plan is not None and feed not in zones and not feed.startswith(tombstones):
            continue  # its table has no watermark any more
        _measure(status, checkpoint, now, None if feed.startswith(tombstones) else zones.get(feed, zone))
        if checkpoint.deferred:
            status.problems.append(_put_off(checkpoint))
    if status.building and status.building.abandoned:
        status.problems.append(Problem(ProblemKind.REBUILD, f"{status.building.what}: {status.building.remedy}"))
    return status


def _put_off(checkpoint: Checkpoint) -> Problem:
    """Return what is said of documents that are put off; what kind of error it is quotes nothing."""
    reason = checkpoint.deferred_reason or ""
    what = f"{checkpoint.deferred:,} documents are put off"
    kind = reason.partition(":")[0]
    return Problem(ProblemKind.PUT_OFF, f"{what}: {reason}", f"{what}: {kind}" if " " not in kind else what)


def _zones(plan: Blueprint) -> Mapping[str, str | None]:
    """Return the zones of watermarks by the names of feeds."""
    zones = {str(feed.table): feed.table.watermark_zone for feed in plan.feeds}
    related = {feed_name(feed.table, way): way[-1].table.watermark_zone for feed in plan.feeds for way in feed.ways}
    return zones | related


def _look_at_source(session: Session, plan: Blueprint, status: PipelineStatus) -> datetime:
    """Enter what the source knows, and return its clock."""
    source = PostgresSource(session)
    now = status.source_time = source.observe().clock
    status.blockers = source.blockers()
    if plan.table.watermark is not None:
        # Without an index it is counted by reading the whole table: for a look that is too much.
        try:
            status.unreachable = unreachable(session, plan.table, now)
        except SourceUnavailable:
            status.uncounted = True
    return now


def _look_at_index(application: Application, record: IndexRecord, status: PipelineStatus) -> None:
    """Enter what the index holds, and what searches find in its place."""
    indices = ElasticIndices(application.elasticsearch, {}, IndexSettings())
    status.documents = indices.count(record.name)
    if record.phase is Phase.LIVE and (found := straying(indices, record)):
        status.problems.append(Problem(ProblemKind.ALIAS, f"{found.what}: {found.remedy}"))


def _measure(status: PipelineStatus, checkpoint: Checkpoint, now: datetime, zone: str | None) -> None:
    """Enter how far behind the clock a feed is; of several feeds the one furthest behind."""

    def instant(time: datetime) -> datetime:
        # Of a watermark without time zone, local times are kept, labelled UTC.
        return time.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) if zone else time

    polled_at = instant(checkpoint.polled_at)
    settled = checkpoint.position.watermark
    settled_at = instant(settled) if settled > BEGINNING else None
    # What a poll that read to its end has seen is older than that poll, not than its checkpoint.
    reached = polled_at if checkpoint.complete else settled_at
    if settled_at is not None:
        status.checkpoint = min(status.checkpoint or settled_at, settled_at)
        status.horizon_lag_seconds = _further(status.horizon_lag_seconds, now, settled_at)
    if reached is not None:
        status.lag_seconds = _further(status.lag_seconds, now, reached)


def _further(known: float | None, now: datetime, since: datetime) -> float:
    return round(max(known or 0.0, (now - since).total_seconds()), 3)


def _state(record: IndexRecord | None, overview: Overview | None) -> str:
    if record is None or overview is None or record.phase is Phase.NEW:
        return "new"
    if overview.holder is None:
        return "stopped"
    return "loading" if record.phase is Phase.LOADING else "following"


_LOOKED_AT = {
    ProblemKind.TABLE: "the table",
    ProblemKind.SOURCE: "the source",
    ProblemKind.ELASTICSEARCH: "Elasticsearch",
}


def _known(application: Application, status: PipelineStatus, kind: ProblemKind, look: Callable[[], T]) -> T | None:
    try:
        return look()
    except SyncerError as error:
        said = f"{_LOOKED_AT[kind]} cannot be looked at: {error.message}"
        status.problems.append(Problem(kind, application.redact(said)))
        return None


def _blocker(blocker: Blocker) -> Mapping[str, Any]:
    return {
        "pid": blocker.pid,
        "application_name": blocker.application_name,
        "state": blocker.state,
        "since": _text(blocker.since),
    }


def _texts(counts: TextCounts | None) -> Mapping[str, Any] | None:
    if counts is None:
        return None
    ratio = counts.hit_ratio
    return {**asdict(counts), "hit_ratio": None if ratio is None else round(ratio, 4)}


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _counts(found: Unreachable | None) -> Mapping[str, int] | None:
    return {"missing": found.missing, "infinite": found.infinite, "future": found.future} if found else None
