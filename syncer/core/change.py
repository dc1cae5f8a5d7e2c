"""What travels down the path: a change, the draft it hydrates to, and the write it ends as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime

from syncer.core.key import Key
from syncer.core.outcome import Rejected
from syncer.core.position import Position
from syncer.core.vector import Vector

#: Stands for every key of a table: it was truncated, or what went before was not noted.
WHOLE_TABLE: Key = ()


#: Of a change that stands for more documents than a page holds.
NO_KEY: Key = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A feed's word that a key changed, no more: what it is now is read later."""

    #: WHOLE_TABLE: what the index holds has to be compared with the table.
    key: Key
    watermark: datetime
    #: `xmin` of the row: two updates may carry one watermark.
    row_version: str
    #: Key of the feed's own row, where that is another one: two tombstones may name one key.
    row: Key | None = None
    #: Where the document may have been, besides where the row belongs now; empty: where its id leads, None: not known.
    routing: str | None = None
    #: The row is part of more documents than a page holds: the values by which they are reached. Names no key itself.
    fans_out_by: Key | None = None
    #: Of WHOLE_TABLE: it was truncated, so that documents may go, however many; else nobody has said that rows went.
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Changes that were read from a feed in one piece, in its order."""

    changes: Sequence[Change]
    #: From where the next page is read; None: this was the last one.
    next: Position | None = None


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
    #: What decides on the document's shard; empty or None: its id.
    routing: str | None = None


@dataclass(frozen=True, slots=True)
class Hydration:
    """What a set of keys are now. A key in no part is gone, soft-deleted or filtered out."""

    drafts: Sequence[Draft]
    #: Rows that Postgres cannot turn into a document, with its reason.
    unreadable: Mapping[Key, str]
    #: Of rows that exist and are no drafts: where their document was.
    routings: Mapping[Key, str] = field(default_factory=dict)
    #: Rows that the transform cannot turn into a document.
    refused: Mapping[Key, Rejected] = field(default_factory=dict)
    #: Rows that the transform leaves without document.
    left_out: Set[Key] = frozenset()

    @property
    def untold(self) -> Set[Key]:
        """The rows of whose documents nothing can be told; whatever the index holds of them stays."""
        return self.unreadable.keys() | self.refused.keys()


@dataclass(frozen=True, slots=True)
class Document:
    """A draft with its vectors and its number, ready to be written."""

    draft: Draft
    #: By vector field.
    vectors: Mapping[str, Vector]
    version: int

    @property
    def key(self) -> Key:
        return self.draft.key


@dataclass(frozen=True, slots=True)
class Removal:
    """A key that has no document any more, or none under this routing."""

    key: Key
    version: int
    routing: str | None = None


Write = Document | Removal
