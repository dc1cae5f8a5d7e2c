"""What pages show of a pipeline's documents: chosen from the fields that it declares, so that nothing is configured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from syncer.adapters.elastic.search.declared import DATES, NUMBERS, TEXTS, Declared, Leaf
from syncer.adapters.elastic.search.searched import Searched
from syncer.core.field import Field
from syncer.core.search.request import Mode

#: More would be a wall.
_COUNTED_MAX = 5
#: Of them, so that dates and numbers have a place.
_TERMS_MAX, _DATES_MAX, _NUMBERS_MAX = 3, 1, 1
_TERMS = frozenset({"keyword", "constant_keyword", "boolean"})
#: What a document is called, where one of its fields has such a name.
_HEADINGS = ("title", "name", "headline", "subject", "label")
#: Tells when syncer saw a document rather than when it was made.
_TOUCHED = frozenset({"updated_at", "modified_at", "changed_at", "modified", "updated"})


class Kind(StrEnum):
    """What somebody chooses from."""

    TERMS = "terms"
    DATES = "dates"
    NUMBERS = "numbers"


@dataclass(frozen=True, slots=True)
class Counted:
    """A field whose values narrow a search."""

    path: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Outline:
    """What is shown of one pipeline."""

    modes: tuple[Mode, ...]
    #: None: documents are called by their ids.
    heading: str | None
    #: Whose words are marked, the heading among them.
    texts: tuple[str, ...]
    counted: tuple[Counted, ...]
    #: What documents can be ordered by beside how well they match; None: nothing.
    dated: str | None
    #: Somebody who types can be shown how it goes on.
    completes: bool
    #: How many fields hold vectors: each has a share of their weight.
    vectors: int = 0


def outline(searched: Searched) -> Outline:
    """Return what is shown of a pipeline."""
    declared = searched.declared
    leaves = [leaf for leaf in _leaves(searched.fields, declared) if leaf.nested is None]
    texts = sorted((leaf for leaf in leaves if leaf.kind in TEXTS), key=lambda leaf: -leaf.boost)
    heading = _heading([leaf.path for leaf in texts]) or _heading(
        [leaf.path for leaf in leaves if leaf.kind in _TERMS and leaf.path in _HEADINGS]
    )
    dates = sorted(
        (leaf.path for leaf in leaves if leaf.kind in DATES), key=lambda path: path.rpartition(".")[2] in _TOUCHED
    )
    return Outline(
        modes=declared.modes,
        heading=heading,
        texts=tuple(leaf.path for leaf in texts),
        counted=tuple(_counted([leaf for leaf in leaves if leaf.path != heading], dates)),
        dated=dates[0] if dates else None,
        completes=any(leaf.autocomplete for leaf in leaves),
        vectors=len(searched.vectors),
    )


def _heading(paths: Sequence[str]) -> str | None:
    known = [path for path in paths if path.rpartition(".")[2] in _HEADINGS and "." not in path]
    return next(iter(known or paths), None)


def _counted(leaves: Sequence[Leaf], dates: Sequence[str]) -> Iterator[Counted]:
    """Yield what narrows a search; of each kind a few, in the order that they are declared in."""
    terms = [leaf.path for leaf in leaves if leaf.kind in _TERMS]
    # A key tells documents apart, and does not sort them into groups.
    numbers = [leaf.path for leaf in leaves if leaf.kind in NUMBERS and not _is_key(leaf.path)]
    few = [*terms[:_TERMS_MAX], *dates[:_DATES_MAX], *numbers[:_NUMBERS_MAX]]
    more = [path for path in (*terms, *numbers, *dates) if path not in few]
    chosen = {*few, *more[: _COUNTED_MAX - len(few)]}
    for kind, paths in ((Kind.TERMS, terms), (Kind.DATES, dates), (Kind.NUMBERS, numbers)):
        yield from (Counted(path, kind) for path in paths if path in chosen)


def _is_key(path: str) -> bool:
    name = path.rpartition(".")[2]
    return name == "id" or name.endswith("_id")


def _leaves(fields: Sequence[Field], declared: Declared, prefix: str = "") -> Iterator[Leaf]:
    for field in fields:
        path = f"{prefix}{field.name}"
        yield declared.leaf("field", path)
        if field.related:
            yield from _leaves(field.related.fields, declared, f"{path}.")
