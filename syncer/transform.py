"""What a pipeline's `transform` is written with: the types of its documents, and the decorator that describes it.

    from syncer.transform import Document

    def shelve(document: Document) -> Document | None:
        if not document["published"]:
            return None
        document["shelf"] = document["author"][:1]
        return document

A function as it stands takes one document and is of version 1. `docs/transform.md` says what it may do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar, overload

#: The fields of a document by name, as JSON has them.
Document: TypeAlias = dict[str, Any]

#: Returns the document to index, which may be the one it was given; None: the row has no document.
Function: TypeAlias = Callable[[Document], Document | None]

#: Takes several documents, and returns for each, in order, what it would return for it alone.
BatchFunction: TypeAlias = Callable[[list[Document]], Sequence[Document | None]]

F = TypeVar("F", bound=Function)
B = TypeVar("B", bound=BatchFunction)

_ATTRIBUTE = "__syncer_transform__"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a function says of itself."""

    #: Another one than before: the same row may make another document, so that the index is to be built anew.
    version: int | str = 1
    #: It takes a list of documents.
    batch: bool = False


@overload
def transform(*, version: int | str = ..., batch: Literal[False] = ...) -> Callable[[F], F]: ...


@overload
def transform(*, version: int | str = ..., batch: Literal[True]) -> Callable[[B], B]: ...


def transform(*, version: int | str = 1, batch: bool = False) -> Callable[[Any], Any]:
    """Declare a function's version, and whether it takes a list of documents; it is returned as it is."""
    if not isinstance(version, int | str):
        raise TypeError(f"version must be a number or a text, not {version!r}")

    def declared(function: Any) -> Any:
        setattr(function, _ATTRIBUTE, Declaration(version, batch))
        return function

    return declared


def declaration(function: object) -> Declaration:
    """Return what a function says of itself."""
    found = getattr(function, _ATTRIBUTE, None)
    return found if isinstance(found, Declaration) else Declaration()
