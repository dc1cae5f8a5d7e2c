"""What travels down the path: a change, the draft it hydrates to, and the write it ends as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncer.core.key import Key


@dataclass(frozen=True, slots=True)
class Change:
    """A feed's word that a key changed, no more: what it is now is read later."""

    key: Key
    watermark: datetime
    #: `xmin` of the row: two updates may carry one watermark.
    row_version: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A row as it is now, before embedding."""

    key: Key
    #: The document, one JSON object on one line.
    body: str
    #: 64 bits of a digest of the body, computed by Postgres, signed.
    hash: int
    #: What to embed, by vector field.
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Hydration:
    """What a set of keys are now. A key in neither part is gone, soft-deleted or filtered out."""

    drafts: Sequence[Draft]
    #: Rows that Postgres cannot turn into a document, with its reason.
    unreadable: Mapping[Key, str]


@dataclass(frozen=True, slots=True)
class Document:
    """A draft with its vectors and its number, ready to be written."""

    draft: Draft
    #: float32, little-endian, by vector field.
    vectors: Mapping[str, bytes]
    version: int

    @property
    def key(self) -> Key:
        return self.draft.key


@dataclass(frozen=True, slots=True)
class Removal:
    """A key that has no document any more."""

    key: Key
    version: int


Write = Document | Removal
