"""All that the status page tells of a pipeline, gathered from what the commands print."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from syncer.adapters.postgres.session import Session
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


class Reporter:
    """Looks at pipelines, again and again, on one connection to the source; for one thread."""

    def __init__(
        self,
        application: Callable[[str], Application],
        clock: Clock,
        names: Sequence[str],
        redact: Redact,
        *,
        letters: bool = False,
    ) -> None:
        """application: that of a pipeline now, whose configuration may be read again. letters: group them, too."""
        self._application = application
        self._clock = clock
        self._names = names
        self._redact = redact
        self._letters = letters
        #: By the application, whose settings say where it leads.
        self._sessions: dict[Application, Session] = {}

    def __call__(self, names: Sequence[str] | None = None) -> Mapping[str, PipelineReport]:
        """Return what is known of these pipelines, else of all.

        Raises StateUnavailable, and ConfigurationError without a state schema.
        """
        return {name: self._report(name) for name in (self._names if names is None else names)}

    def close(self) -> None:
        """Disconnect. Never raises."""
        while self._sessions:
            self._sessions.popitem()[1].close()

    def _report(self, name: str) -> PipelineReport:
        application = self._application(name)
        if application not in self._sessions:
            # Where a configuration was read again, those of the one before are not asked for any more.
            used = {self._application(each) for each in self._names}
            for other in self._sessions.keys() - used:
                self._sessions.pop(other).close()
            self._sessions[application] = application.looking_session()
        status = pipeline_status(application, self._clock, name, self._sessions[application])
        told = [self._redact(note) for note in notes(status, self._clock)]
        letters: Sequence[LetterGroup] = ()
        if self._letters and status.record and status.overview and status.overview.dead_letters:
            letters = grouped(application.store.dead_letters(status.record.name, LETTERS_MAX))[:_GROUPS]
        indices: Sequence[ListedIndex] = ()
        try:
            indices = listed_indices(application, name, status.fingerprint)
        except SyncerError as error:
            # That it does not answer is among the problems already, where there is an index.
            if not status.problems:
                told.append(self._redact(f"Elasticsearch cannot be looked at: {error.message}"))
        return PipelineReport(status, told, letters, indices, scheduled(application, self._clock, name))
