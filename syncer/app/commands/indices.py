"""`syncer indices`: the physical indices of pipelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings
from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.wiring import Application
from syncer.core.error import SyncerError
from syncer.core.fingerprint import differences
from syncer.core.index import IndexRecord, IndexStatistics, Phase

_HEALTH = {"green": "green", "yellow": "yellow", "red": "red"}


@dataclass(frozen=True, slots=True)
class _Listed:
    record: IndexRecord
    #: None: Elasticsearch has no such index.
    statistics: IndexStatistics | None
    searched: bool
    #: None: the configuration's is not known.
    matches: bool | None

    def document(self) -> Mapping[str, Any]:
        record, statistics = self.record, self.statistics
        return {
            "pipeline": record.pipeline,
            "index": record.name,
            "role": record.role.value,
            "phase": record.phase.value,
            "searched": self.searched,
            "missing": statistics is None,
            "documents": statistics.documents if statistics else None,
            "bytes": statistics.bytes if statistics else None,
            "health": statistics.health if statistics else None,
            "fingerprint": dict(record.fingerprint),
            "fingerprint_matches": self.matches,
            "filling": record.filling,
            "kept_since": record.kept_since.isoformat() if record.kept_since else None,
        }

    def row(self) -> Sequence[str | Text]:
        record, statistics = self.record, self.statistics
        phase = "" if record.phase.value == record.role.value else f" ({record.phase.value})"
        return (
            record.pipeline,
            record.name,
            f"{record.role.value}{phase}",
            "yes" if self.searched else "",
            f"{statistics.documents:,}" if statistics else "–",
            decimal(statistics.bytes) if statistics else "–",
            Text(statistics.health, _HEALTH.get(statistics.health, "")) if statistics else Text("missing", "red"),
            {None: "–", True: "as configured", False: "other"}[self.matches],
            f"{record.kept_since:%Y-%m-%d %H:%M} UTC" if record.kept_since else "",
        )


def indices(invocation: Invocation, requested: Sequence[str]) -> ExitCode:
    """Print what there is, what it takes, and what it is to its pipeline."""
    with invocation.application() as (application, _):
        listed = [each for name in application.names(requested) for each in _listed(application, name)]
    invocation.show({"indices": [each.document() for each in listed]}, lambda: _table(listed))
    return ExitCode.DONE


def _listed(application: Application, name: str) -> Sequence[_Listed]:
    records = application.store.indices(name)
    if not records:
        return []
    server = ElasticIndices(application.elasticsearch, {}, IndexSettings())
    statistics = server.statistics([record.name for record in records])
    targets = {alias: server.targets(alias) for alias in {record.alias for record in records}}
    configured = _fingerprint(application, name)
    return [
        _Listed(
            record,
            statistics.get(record.name),
            record.name in targets[record.alias].indices,
            None if configured is None or not record.fingerprint else not differences(record.fingerprint, configured),
        )
        for record in records
        # Nothing is there yet.
        if record.phase is not Phase.NEW
    ]


def _fingerprint(application: Application, name: str) -> Mapping[str, str] | None:
    """Return the configuration's fingerprint; None where its table or model cannot be looked at now."""
    try:
        return application.blueprint(name).fingerprint
    except SyncerError:
        return None


def _table(listed: Sequence[_Listed]) -> Table:
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
