"""What the engine asks of the world; `syncer.adapters` answers with Postgres, Elasticsearch, a model, or memory.

Whole-call failures are exceptions in the groups of `core.error`; what befalls a single row is a value. Unless it says
otherwise, a method may be called again after it raised.
"""

from __future__ import annotations

from syncer.ports.clock import Alarm, Clock
from syncer.ports.embedding import Embedder, Model, VectorCache
from syncer.ports.index import IndexDigests, Indices, Lifecycle, Sink
from syncer.ports.json import Json
from syncer.ports.search import AsyncSearcher, Searcher
from syncer.ports.source import (
    ChangeFeed,
    Documents,
    Glance,
    KeyFeed,
    RelatedFeed,
    Source,
    SourceDigests,
    TableKeys,
    Tombstones,
    Wakeups,
)
from syncer.ports.state import BackfillProgress, Lease, Numbers, StateStore

__all__ = [
    "Alarm",
    "AsyncSearcher",
    "BackfillProgress",
    "ChangeFeed",
    "Clock",
    "Documents",
    "Embedder",
    "Glance",
    "IndexDigests",
    "Indices",
    "Json",
    "KeyFeed",
    "Lease",
    "Lifecycle",
    "Model",
    "Numbers",
    "RelatedFeed",
    "Searcher",
    "Sink",
    "Source",
    "SourceDigests",
    "StateStore",
    "TableKeys",
    "Tombstones",
    "VectorCache",
    "Wakeups",
]
