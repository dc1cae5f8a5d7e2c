"""What is searched, and what each conversation about it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from syncer.adapters.elastic.search.conversation import Call, Conversation, refused_search
from syncer.adapters.elastic.search.declared import Declared
from syncer.core.error import FingerprintMismatch
from syncer.core.field import Field, VectorField


@dataclass(frozen=True)
class Searched:
    """The documents of a pipeline, as it is configured."""

    alias: str
    fields: Sequence[Field]
    vectors: Sequence[VectorField] = ()
    #: What the index's fingerprint is to say of its vectors; None: nothing is asked.
    embedding: str | None = None
    #: Have Elasticsearch fuse rankings where its licence lets it: it tells no ranks, and knows no weights.
    server_fusion: bool = False

    @cached_property
    def declared(self) -> Declared:
        """What may be asked of them."""
        return Declared(self.fields, self.vectors)


def ask(
    alias: str, bodies: Mapping[str, Mapping[str, Any]], routing: str | None = None
) -> Conversation[dict[str, Mapping[str, Any]]]:
    """Search all at once, and return the answers by the same names. Raises Refused, and what `failure` returns."""
    header: dict[str, Any] = {"index": alias}
    if routing is not None:
        header["routing"] = routing
    # A point in time has both already.
    searches = [line for body in bodies.values() for line in ({} if "pit" in body else header, body)]
    answers = (yield Call("msearch", {"searches": searches}))["responses"]
    for answer in answers:
        if problem := refused_search(answer):
            raise problem
    return dict(zip(bodies, answers, strict=True))


class VectorGuard:
    """Has vectors compared only with those of the same model; looks at each index once. Safe for several threads."""

    def __init__(self, searched: Searched) -> None:
        self._searched = searched
        self._proven: set[str] = set()

    def before(self) -> Conversation[None]:
        """Look at what is behind the alias, the first time."""
        if self._searched.embedding is not None and not self._proven:
            yield from self._prove(self._searched.alias)

    def after(self, hits: Iterable[Mapping[str, Any]]) -> Conversation[None]:
        """Look at the indices that hits are from: the alias may have been moved meanwhile."""
        if self._searched.embedding is not None:
            for index in sorted({hit["_index"] for hit in hits} - self._proven):
                yield from self._prove(index)

    def again(self) -> Conversation[None]:
        """Look once more, after vectors were refused."""
        if self._searched.embedding is not None:
            self._proven.clear()
            yield from self.before()

    def _prove(self, name: str) -> Conversation[None]:
        """Raise FingerprintMismatch where an index has other vectors than are configured."""
        found = yield Call("indices.get_mapping", {"index": name})
        for index, described in found.items():
            meta = described["mappings"].get("_meta", {}).get("syncer", {})
            if meta.get("fingerprint", {}).get("embedding") != self._searched.embedding:
                raise FingerprintMismatch(
                    f"index {index} was not built with the model and texts that are configured now, so that its "
                    "vectors cannot be searched",
                    hint="rebuild it: syncer rebuild PIPELINE; until then search by words",
                )
            self._proven.add(index)
