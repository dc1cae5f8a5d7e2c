"""The record of an index as a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from syncer.core.index import IndexIdentity, IndexRecord, Phase
from syncer.core.source_state import SourceIdentity
from syncer.core.text_counts import TextCounts


def to_row(
    *,
    phase: Phase | None,
    fingerprint: Mapping[str, str] | None,
    identity: IndexIdentity | None,
    source: SourceIdentity | None,
    verify_needed: str | None,
    definition: Mapping[str, Any] | None,
    filling: bool | None,
    superseded: Sequence[str] | None,
) -> dict[str, Any]:
    """Return the columns for what is not None."""
    columns = {
        "phase": phase.value if phase else None,
        "fingerprint": None if fingerprint is None else dict(fingerprint),
        "identity": identity and {"uuid": identity.uuid, "histories": dict(identity.histories)},
        "source": source
        and {
            "system_identifier": source.system_identifier,
            "started_at": source.started_at.isoformat(),
            "timeline": source.timeline,
        },
        "verify_needed": verify_needed,
        "definition": None if definition is None else dict(definition),
        "filling": filling,
        "superseded": None if superseded is None else list(superseded),
    }
    return {name: value for name, value in columns.items() if value is not None}


def from_row(row: Row[Any]) -> IndexRecord:
    """Return the record in a row of `indices`."""
    identity, source = row.identity, row.source
    return IndexRecord(
        row.name,
        row.pipeline,
        row.alias,
        Phase(row.phase),
        row.epoch,
        row.fingerprint,
        identity and IndexIdentity(identity["uuid"], identity["histories"]),
        source
        and SourceIdentity(
            source["system_identifier"], datetime.fromisoformat(source["started_at"]), source["timeline"]
        ),
        row.verify_needed,
        row.verified_at,
        row.reconcile,
        row.truncated,
        row.followed,
        row.definition,
        row.filling,
        row.kept_since,
        tuple(row.superseded),
        TextCounts(row.texts_embedded, row.texts_cached, row.texts_truncated),
    )
