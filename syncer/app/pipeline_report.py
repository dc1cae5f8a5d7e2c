"""All that the status page tells of a pipeline, gathered from what the commands print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncer.app.commands.indices import ListedIndex, listed_indices
from syncer.app.commands.schedule import ScheduledJob, scheduled
from syncer.app.commands.status import notes
from syncer.app.redaction import Redact
from syncer.app.schedule_settings import Job
from syncer.app.status import PipelineStatus, pipeline_status
from syncer.app.wiring import Application
from syncer.core.comparison import Difference
from syncer.core.error import SyncerError
from syncer.core.letter_group import LetterGroup, grouped
from syncer.ports import Clock

#: Dead letters that are read to group them, the one open longest first; of the groups those that are shown.
LETTERS_MAX, _GROUPS = 1000, 10


@dataclass(frozen=True, slots=True)
class PipelineReport:
    """One pipeline."""

    status: PipelineStatus
    #: What asks for attention, a sentence each.
    notes: Sequence[str] = ()
    letters: Sequence[LetterGroup] = ()
    indices: Sequence[ListedIndex] = ()
    jobs: Sequence[ScheduledJob] = ()

    @property
    def written(self) -> int | None:
        """Documents written into the index that is followed, as far as Elasticsearch remembers."""
        name = self.status.record.name if self.status.record else None
        found = next((each.statistics for each in self.indices if each.name == name), None)
        return found.written if found else None

    @property
    def differences(self) -> float | None:
        """What the last verification has found and not mended; None: there was none that came to its end."""
        detail = next((job.last.detail for job in self.jobs if job.job is Job.VERIFY and job.last), {})
        if not detail.get("complete"):
            return None
        # Rows that nobody can read are dead letters, and of those that move all the time nothing is known.
        found = sum(detail.get(kind, 0) for kind in Difference)
        return float(found - detail.get("repaired", 0))


def reports(
    application: Application, clock: Clock, names: Sequence[str], redact: Redact
) -> Mapping[str, PipelineReport]:
    """Return what is known of pipelines. Raises StateUnavailable, and ConfigurationError without a state schema."""
    return {name: _report(application, clock, name, redact) for name in names}


def _report(application: Application, clock: Clock, name: str, redact: Redact) -> PipelineReport:
    status = pipeline_status(application, clock, name)
    told = [redact(note) for note in notes(status, clock)]
    letters: Sequence[LetterGroup] = ()
    if status.record and status.overview and status.overview.dead_letters:
        letters = grouped(application.store.dead_letters(status.record.name, LETTERS_MAX))[:_GROUPS]
    indices: Sequence[ListedIndex] = ()
    try:
        indices = listed_indices(application, name)
    except SyncerError as error:
        # That it does not answer is among the problems already, where there is an index.
        if not status.problems:
            told.append(redact(f"Elasticsearch cannot be looked at: {error.message}"))
    return PipelineReport(status, told, letters, indices, scheduled(application, clock, name))
