"""What the engine tells, as log lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import structlog

from syncer.app.progress import LoadProgress
from syncer.core.error import SyncerError
from syncer.core.index import IndexRecord, Targets
from syncer.core.report import Report
from syncer.core.source_state import Blocker
from syncer.engine.polled import Polled
from syncer.engine.verify import Verified

#: Counts that are logged where they are not 0.
_SELDOM = ("unchanged", "truncated")


class LogEvents:
    """Logs what happens to one pipeline; implements `engine.events.Events`."""

    def __init__(
        self, pipeline: str, progress: LoadProgress, comparing: LoadProgress | None = None, *, index: str | None = None
    ) -> None:
        """comparing: of a rebuild; None: not shown. index: the one that all of it is about, beside the live one."""
        self._log = structlog.get_logger(pipeline=pipeline, **({"beside": index} if index else {}))
        self._comparing = comparing
        self._pipeline = pipeline
        self._progress = progress
        self._holder: str | None = None
        #: A comparison found more to delete than it may.
        self.refused = False

    def attached(self, record: IndexRecord) -> None:
        self._holder = None
        self._log.info("attached", index=record.name, phase=record.phase.value, epoch=record.epoch)
        if record.verify_needed:
            self._log.warning("verify needed", index=record.name, reason=record.verify_needed)

    def ended(self) -> None:
        """Note that nothing more is done for the pipeline, which is logged elsewhere."""

    def loading(self, settled: int, total: int) -> None:
        self._progress(settled, total)

    def loaded(self, record: IndexRecord) -> None:
        self._progress.done()
        self._log.info("loaded", index=record.name, alias=record.alias)

    def replacing(self, record: IndexRecord, changes: Sequence[str]) -> None:
        self._log.info("rebuilding by itself", index=record.name, changes=list(changes))

    def building(self, record: IndexRecord) -> None:
        self._progress.done()
        if self._comparing is not None:
            self._comparing.done()
        self._log.info("building", index=record.name, phase=record.phase.value)

    def comparing(self, settled: int, total: int) -> None:
        if self._comparing is not None:
            self._comparing(settled, total)

    def discarded(self, record: IndexRecord, why: str) -> None:
        self._log.info("index deleted", index=record.name, reason=why)

    def building_graphs(self, index: str) -> None:
        self._log.info("building graphs of vectors", index=index)

    def not_green(self, index: str, unassigned: int) -> None:
        self._log.warning("index is yellow: replicas find no place", index=index, unassigned=unassigned)

    def swapped(self, old: str | None, new: str) -> None:
        self._log.info("swapped", old=old, new=new)

    def extended(self, record: IndexRecord, changes: Sequence[str]) -> None:
        self._log.info("fields added in place", index=record.name, changes=list(changes))

    def filled(self, record: IndexRecord) -> None:
        self._progress.done()
        self._log.info("added fields are filled", index=record.name)

    def filling_failed(self, error: SyncerError) -> None:
        self._log.warning("filling added fields failed", error=one_line(error.message), hint=one_line(error.hint))

    def lifecycle_refused(self, error: SyncerError) -> None:
        self._log.warning("no lifecycle", error=one_line(error.message), hint=one_line(error.hint))

    def follower_failed(self, error: SyncerError) -> None:
        self._log.warning("not followed", error=one_line(error.message), hint=one_line(error.hint))

    def retiring_failed(self, error: SyncerError) -> None:
        self._log.warning("kept indices not deleted", error=one_line(error.message), hint=one_line(error.hint))

    def astray(self, alias: str, index: str, targets: Targets) -> None:
        """Log what searches find in place of the index."""
        self._log.warning(
            "searches do not find this index alone",
            alias=alias,
            index=index,
            found="an index of that name" if targets.is_index else sorted(targets.indices),
            hint=f"point the alias to it: syncer promote {self._pipeline}; with --take-over, where others have it too",
        )

    def polled(self, polled: Polled, seconds: float) -> None:
        """Log a poll that did something."""
        if polled.report != Report():
            log = self._log.warning if polled.report.rejected else self._log.info
            counts = {name: count for name, count in asdict(polled.report).items() if count or name not in _SELDOM}
            log("polled", **counts, seconds=round(seconds, 3))

    def held_back(self, seconds: float, blockers: Sequence[Blocker]) -> None:
        """Log the oldest open transactions."""
        oldest = [{**asdict(b), "since": b.since.isoformat() if b.since else None} for b in blockers]
        self._log.warning("checkpoint held back by open transactions", behind_seconds=round(seconds), oldest=oldest)

    def behind(self, seconds: float) -> None:
        self._log.info("catching up", behind_seconds=round(seconds))

    def put_off(self, documents: int, reason: str) -> None:
        self._log.warning("documents put off", documents=documents, reason=one_line(reason))

    def reconciled(self, verified: Verified) -> None:
        counts = {str(kind): count for kind, count in verified.differences.items()}
        found = {"indexed": verified.indexed, "repaired": verified.repaired, **counts}
        if verified.refused is None:
            self._log.info("compared with its source", **found)
            return
        self.refused = True
        self._log.warning(
            "compared with its source, and nothing deleted",
            **found,
            error=one_line(verified.refused.message),
            hint=one_line(verified.refused.hint),
        )

    def reconciling_failed(self, error: SyncerError) -> None:
        self._log.warning("comparing with its source failed", error=one_line(error.message), hint=one_line(error.hint))

    def standing_by(self, error: SyncerError) -> None:
        """Log a holder once, however often it is met."""
        if error.message != self._holder:
            self._holder = error.message
            self._log.info("standing by", reason=error.message, hint=one_line(error.hint))

    def backing_off(self, error: SyncerError, attempt: int, seconds: float) -> None:
        self._log.warning(
            "backing off",
            error=one_line(error.message),
            hint=one_line(error.hint),
            attempt=attempt,
            seconds=round(seconds, 1),
        )


def one_line(text: str) -> str:
    """Return the text with its line breaks and runs of blanks as single blanks."""
    return " ".join(text.split())
