"""Looks at some rows of a pipeline, for an estimate of what all of them take."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from syncer.adapters.postgres.documents import PostgresDocuments
from syncer.adapters.postgres.sample import sample
from syncer.app.blueprint import Blueprint
from syncer.app.check.estimate import Estimate, Seen, VectorsSeen, estimate
from syncer.app.check.value_bytes import autocomplete_bytes, keyword_bytes
from syncer.app.wiring import Application
from syncer.core.change import Draft
from syncer.core.error import SyncerError
from syncer.core.key import document_id
from syncer.ports import Clock, Model

_ROWS = 300
#: For one statement.
_SECONDS = 5.0
#: Embedded before the clock runs, then at once, and for how long.
_WARM_TEXTS, _PASS_TEXTS, _EMBEDDING_SECONDS = 4, 8, 2.0


def estimates(application: Application, clock: Clock, names: Sequence[str]) -> Mapping[str, Estimate | str]:
    """Return by pipeline what a load of it comes to, or why that cannot be told; none of one that is not sound."""
    found: dict[str, Estimate | str] = {}
    for name in names:
        try:
            plan = application.blueprint(name)
        except SyncerError:
            # A finding tells why.
            continue
        try:
            found[name] = estimate(_seen(application, clock, plan))
        except SyncerError as error:
            found[name] = error.message
    return found


def _seen(application: Application, clock: Clock, plan: Blueprint) -> Seen:
    session = application.source_session(any_server=True)
    try:
        rows = sample(session, plan.table, _ROWS, _SECONDS)
        documents = PostgresDocuments(session, plan.table, plan.fields, plan.vectors, plan.routing)
        began = clock.monotonic()
        drafts = documents.hydrate(rows.keys).drafts if rows.keys else []
        seconds = clock.monotonic() - began
    finally:
        session.close()
    bodies = [body for draft in drafts if (body := _read(draft)) is not None]
    pieces = {vector.name: _pieces(application, plan, vector.name, drafts) for vector in plan.vectors}
    return Seen(
        rows=rows.rows,
        counted=rows.whole,
        bytes=rows.bytes,
        sampled=len(rows.keys),
        documents=len(drafts),
        document_bytes=sum(len(draft.body.encode("utf-8", "surrogatepass")) for draft in drafts),
        id_bytes=sum(len(document_id(draft.key).encode()) for draft in drafts),
        keyword_bytes=keyword_bytes(plan.mapping["properties"], bodies),
        autocomplete_bytes=autocomplete_bytes(plan.mapping["properties"], bodies),
        seconds=seconds,
        vectors=[
            VectorsSeen(vector.index, vector.dims, len(pieces[vector.name]) / max(len(rows.keys), 1))
            for vector in plan.vectors
        ],
        texts_per_second=_speed(application.embedder, clock, [piece for each in pieces.values() for piece in each])
        if plan.vectors
        else None,
    )


def _read(draft: Draft) -> Any:
    """Return a document; None: it is deeper, or has a longer number, than Python reads."""
    try:
        return json.loads(draft.body)
    except (RecursionError, ValueError):
        return None


def _pieces(application: Application, plan: Blueprint, name: str, drafts: Sequence[Draft]) -> list[str]:
    """Return what would be embedded for a vector field."""
    texts = [text for draft in drafts if (text := draft.texts[name]).strip()]
    chunks = next(vector.chunks for vector in plan.vectors if vector.name == name)
    if chunks is None or not texts:
        return texts
    return [piece for pieces in application.embedder.split(texts, chunks).pieces for piece in pieces]


def _speed(model: Model, clock: Clock, texts: Sequence[str]) -> float | None:
    """Return how many texts the model embeds in a second; None: there is none to embed."""
    if not texts:
        return None
    model.embed(texts[:_WARM_TEXTS])
    began, embedded = clock.monotonic(), 0
    while embedded < len(texts) and clock.monotonic() - began < _EMBEDDING_SECONDS:
        portion = texts[embedded : embedded + _PASS_TEXTS]
        model.embed(portion)
        embedded += len(portion)
    return embedded / max(clock.monotonic() - began, 1e-6)
