"""`syncer indices`: the physical indices of pipelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.inventory import indices_of
from syncer.adapters.elastic.mapping import IndexSettings
from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.wiring import Application
from syncer.core.error import SyncerError
from syncer.core.fingerprint import differences
from syncer.core.index import IndexRecord, IndexStatistics, Phase

_HEALTH = {"green": "green", "yellow": "yellow", "red": "red"}


@dataclass(frozen=True, slots=True)
class ListedIndex:
    """A physical index, and what it is to its pipeline."""

    pipeline: str
    name: str
    #: None: the state does not know it.
    record: IndexRecord | None
    #: None: Elasticsearch has no such index.
    statistics: IndexStatistics | None
    searched: bool
    #: None: the configuration's is not known.
    matches: bool | None

    def document(self) -> Mapping[str, Any]:
        record, statistics = self.record, self.statistics
        return {
            "pipeline": self.pipeline,
            "index": self.name,
            "role": record.role.value if record else "unknown",
            "phase": record.phase.value if record else None,
            "searched": self.searched,
            "missing": self.missing,
            "documents": statistics.documents if statistics else None,
            "bytes": statistics.bytes if statistics else None,
            "health": statistics.health if statistics else None,
            "fingerprint": dict(record.fingerprint) if record else {},
            "fingerprint_matches": self.matches,
            "filling": bool(record and record.filling),
            "kept_since": record.kept_since.isoformat() if record and record.kept_since else None,
        }

    def row(self) -> Sequence[str | Text]:
        record, statistics = self.record, self.statistics
        role = record.role.value if record else "unknown"
        phase = f" ({record.phase.value})" if record and record.phase.value != role else ""
        return (
            self.pipeline,
            self.name,
            f"{role}{phase}",
            "yes" if self.searched else "",
            f"{statistics.documents:,}" if statistics else "–",
            decimal(statistics.bytes) if statistics else "–",
            Text(statistics.health, _HEALTH.get(statistics.health, "")) if statistics else self._absence,
            {None: "–", True: "as configured", False: "other"}[self.matches],
            f"{record.kept_since:%Y-%m-%d %H:%M} UTC" if record and record.kept_since else "",
        )

    @property
    def missing(self) -> bool:
        return self.statistics is None and self.record is not None and self.record.phase is not Phase.NEW

    @property
    def _absence(self) -> Text:
        return Text("missing", "red") if self.missing else Text("not created yet")


def indices(invocation: Invocation, requested: Sequence[str]) -> ExitCode:
    """Print what there is, what it takes, and what it is to its pipeline."""
    with invocation.application() as (application, _):
        listed = [
            each
            for name in application.names(requested)
            for each in listed_indices(application, name, _fingerprint(application, name))
        ]
    invocation.show({"indices": [each.document() for each in listed]}, lambda: _report(listed))
    return ExitCode.DONE


def listed_indices(
    application: Application, name: str, configured: Mapping[str, str] | None = None
) -> Sequence[ListedIndex]:
    """Return the indices of a pipeline; configured: its fingerprint, None: not known.

    Raises StateUnavailable, SinkUnavailable.
    """
    records = application.store.indices(name)
    aliases = {application.settings.alias(name), *(record.alias for record in records)}
    # Read after those of the server: what is created is registered before.
    there = indices_of(application.elasticsearch, name, aliases)
    known = {record.name for record in application.store.indices()}
    unknown = [index for index in there if index not in known]
    server = ElasticIndices(application.elasticsearch, {}, IndexSettings())
    statistics = server.statistics([*(record.name for record in records), *unknown])
    searched = {index for alias in aliases for index in server.targets(alias).indices}

    def listed(index: str, record: IndexRecord | None) -> ListedIndex:
        built = record.fingerprint if record else None
        matches = not differences(built, configured) if built and configured is not None else None
        return ListedIndex(name, index, record, statistics.get(index), index in searched, matches)

    return [*(listed(record.name, record) for record in records), *(listed(index, None) for index in unknown)]


def _fingerprint(application: Application, name: str) -> Mapping[str, str] | None:
    """Return the configuration's fingerprint; None where its table or model cannot be looked at now."""
    try:
        return application.blueprint(name).fingerprint
    except SyncerError:
        return None


def _report(listed: Sequence[ListedIndex]) -> RenderableType:
    notes = (_note(each) for each in listed if each.record is None)
    return Group(_table(listed), *(Text(note) for note in notes))


def _note(unknown: ListedIndex) -> str:
    what = f"{unknown.pipeline}: the state does not know index {unknown.name}"
    if unknown.searched:
        return f"{what}, but searches find it: keep it until another one is in its place: syncer run {unknown.pipeline}"
    return f"{what}; delete it, if nothing else needs it: DELETE /{unknown.name}"


def _table(listed: Sequence[ListedIndex]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("pipeline", "index", "role", "searched"):
        table.add_column(heading, no_wrap=True)
    for heading in ("documents", "size"):
        table.add_column(heading, justify="right")
    for heading in ("health", "built", "kept since"):
        table.add_column(heading, no_wrap=True)
    for each in listed:
        table.add_row(*each.row())
    return table
