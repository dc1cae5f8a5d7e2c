"""What can be done with the fields that a pipeline declares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncer.adapters.elastic.mapping import field_mapping
from syncer.core.error import RequestInvalid
from syncer.core.field import Field, VectorField
from syncer.core.search.request import Mode
from syncer.core.suggestion import suggestion

TEXTS = frozenset({"text", "match_only_text", "search_as_you_type", "annotated_text"})
INTEGERS = frozenset({"byte", "short", "integer", "long", "unsigned_long"})
NUMBERS = INTEGERS | {"half_float", "float", "double", "scaled_float"}
DATES = frozenset({"date", "date_nanos"})
WORDS = frozenset({"keyword", "constant_keyword", "wildcard", "version", "flattened"})
#: What has one value can be sorted by and counted; a range has many.
SINGLE = NUMBERS | DATES | WORDS | {"boolean", "ip"}
NUMBER_RANGES = frozenset({"integer_range", "long_range", "float_range", "double_range"})
RANGES = NUMBER_RANGES | {"date_range", "ip_range"}
POINT = "geo_point"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field that holds values, or objects."""

    #: In the document.
    path: str
    #: Elasticsearch's name of the type.
    kind: str
    boost: float = 1.0
    #: The field of the index that holds its exact values, if one does.
    exact: str | None = None
    #: The nested field around it, which only queries of its own reach.
    nested: str | None = None
    #: With a sub-field of what its words begin with.
    autocomplete: bool = False
    #: What makes words of a text; None: as they are written, but for their case.
    analyzer: str | None = None
    #: Elasticsearch only keeps it.
    stored: bool = False


class Declared:
    """Finds declared fields by their paths. Raises RequestInvalid where a field cannot be what it is named for."""

    def __init__(self, fields: Sequence[Field], vectors: Sequence[VectorField]) -> None:
        boosts = dict(_boosts(fields))
        found = _leaves({field.name: field_mapping(field) for field in fields}, boosts)
        self._leaves = {leaf.path: leaf for leaf in found}
        self.vectors = tuple(vectors)
        #: What words are looked for in.
        self.texts = {path: leaf for path, leaf in self._leaves.items() if leaf.kind in TEXTS and leaf.nested is None}

    @property
    def modes(self) -> tuple[Mode, ...]:
        """How documents can be searched, the best first."""
        if not self.vectors:
            return (Mode.KEYWORD,)
        return (Mode.HYBRID, Mode.KEYWORD, Mode.VECTOR) if self.texts else (Mode.VECTOR,)

    def leaf(self, part: str, path: str) -> Leaf:
        """Return a field; part: what of the request names it."""
        leaf = self._leaves.get(path) or self._key(path)
        if leaf is None:
            around = path.rpartition(".")[0]
            # Sub-fields are chosen here: whoever names one means the field.
            hint = f"did you mean {around}?" if around in self._leaves else suggestion(path, self._leaves)
            raise RequestInvalid(part, f"there is no field {path!r}", hint=hint)
        return leaf

    def exact(self, part: str, path: str, *, purpose: str = "filtered by") -> Leaf:
        """Return a field that has exact values."""
        leaf = self.leaf(part, path)
        if leaf.exact is not None:
            return leaf
        if leaf.kind in TEXTS:
            raise RequestInvalid(
                part,
                f"{path} is a text without exact values, so that it cannot be {purpose}",
                hint="`keyword: true` gives it such values",
            )
        raise RequestInvalid(
            part,
            f"{path} has no exact values, for its type is {leaf.kind}, so that it cannot be {purpose}",
            hint=f"{self._names(leaf.path for leaf in self._leaves.values() if leaf.exact)} can",
        )

    def single(self, part: str, path: str, *, purpose: str) -> Leaf:
        """Return a field that documents can be sorted by, and counted."""
        leaf = self.exact(part, path, purpose=purpose)
        if leaf.nested is not None:
            raise RequestInvalid(
                part,
                f"{path} lies in the nested field {leaf.nested}, so that documents cannot be {purpose} it",
                hint="conditions reach it",
            )
        if leaf.kind in RANGES:
            raise RequestInvalid(part, f"{path} holds ranges, so that documents cannot be {purpose} it")
        return leaf

    def text(self, part: str, path: str) -> Leaf:
        """Return a field that words are looked for in."""
        leaf = self.leaf(part, path)
        if leaf.kind not in TEXTS:
            raise RequestInvalid(
                part, f"{path} is no text, for its type is {leaf.kind}", hint=f"texts are {self._names(self.texts)}"
            )
        if leaf.nested is not None:
            raise RequestInvalid(part, f"{path} lies in the nested field {leaf.nested}, where words are not looked for")
        return leaf

    def completed(self, field: str | None) -> list[Leaf]:
        """Return the fields that complete what is typed, or this one of them."""
        able = [leaf for leaf in self._leaves.values() if leaf.autocomplete and leaf.nested is None]
        if field is None:
            return able
        leaf = self.leaf("field", field)
        if leaf not in able:
            names = self._names(each.path for each in able)
            raise RequestInvalid(
                "field", f"{field} completes nothing", hint=f"of fields with `autocomplete: true` there is {names}"
            )
        return [leaf]

    def returned(self, part: str, path: str) -> str:
        """Return a path that a document may be cut down to."""
        # What lies in an object that Elasticsearch only keeps, nobody has declared.
        around = path
        while around and around not in self._leaves:
            around = around.rpartition(".")[0]
        if around == path or (around and self._leaves[around].kind in {"object", "flattened"} and self._open(around)):
            return path
        return self.leaf(part, path).path

    def _open(self, path: str) -> bool:
        return self._leaves[path].stored or self._leaves[path].kind == "flattened"

    def _key(self, path: str) -> Leaf | None:
        """Return the leaf of a key in a flattened field."""
        around = path.rpartition(".")[0]
        while around:
            found = self._leaves.get(around)
            if found is not None and found.kind == "flattened":
                return Leaf(path, "flattened", exact=path, nested=found.nested)
            around = around.rpartition(".")[0]
        return None

    @staticmethod
    def _names(paths: Iterable[str]) -> str:
        return ", ".join(sorted(paths)) or "none"


def _boosts(fields: Sequence[Field], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the weight of each field by its path."""
    for field in fields:
        yield f"{prefix}{field.name}", field.boost
        if field.related:
            yield from _boosts(field.related.fields, f"{prefix}{field.name}.")


def _boost(path: str, boosts: Mapping[str, float]) -> float:
    """Return the weight of what is declared nearest around it, for `properties` have none of their own."""
    while path not in boosts:
        path = path.rpartition(".")[0]
    return boosts[path]


def _leaves(
    properties: Mapping[str, Any], boosts: Mapping[str, float], prefix: str = "", nested: str | None = None
) -> Iterator[Leaf]:
    """Yield all fields, objects and what they hold."""
    for name, declared in properties.items():
        path, kind = f"{prefix}{name}", declared.get("type", "object")
        inner = declared.get("fields", {})
        exact: str | None = None
        if kind in TEXTS:
            exact = f"{path}.keyword" if inner.get("keyword", {}).get("type") == "keyword" else None
        elif kind in SINGLE | RANGES:
            exact = path
        stored = kind == "object" and declared.get("enabled") is False
        around = path if kind == "nested" else nested
        analyzer = declared.get("analyzer")
        yield Leaf(path, kind, _boost(path, boosts), exact, around, "autocomplete" in inner, analyzer, stored)
        yield from _leaves(declared.get("properties", {}), boosts, f"{path}.", around)
