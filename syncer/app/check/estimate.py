"""What a first load comes to, by what was seen of a sample: the size of the index, and the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.filesize import decimal

#: Bytes of the index for each byte of the documents as JSON, and what it takes besides: ids, values for exact matches,
#: each different one once, and beginnings of words. Measured: docs/performance.md#estimates.
_INDEX_FACTOR, _ID_FACTOR, _KEYWORD_FACTOR, _AUTOCOMPLETE_FACTOR = 1.0, 2.7, 1.7, 4.5
#: Of a vector on disk, as it came and as its graph searches it, in terms of its 4 bytes a dimension; measured there.
_VECTOR_FACTORS = {"int8_hnsw": 1.30, "int4_hnsw": 1.17, "bbq_hnsw": 1.08, "hnsw": 1.04, "flat": 1.01}
#: What Elasticsearch takes from one load on two processors, which each document holds up, and each byte.
_DOCUMENT_SECONDS, _BYTE_SECONDS = 45e-6, 50e-9


@dataclass(frozen=True, slots=True)
class VectorsSeen:
    """Of one vector field."""

    index: str
    dims: int
    #: For each row of the sample, on average: a long text may have several, an empty one has none.
    per_row: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a pipeline's rows."""

    #: In all, and whether they were counted.
    rows: int
    counted: bool
    #: What the table takes on disk; None: it is no table.
    bytes: int | None
    #: Rows that were read, those of them that have documents, and what these take as JSON.
    sampled: int
    documents: int
    document_bytes: int
    #: Of their ids.
    id_bytes: int
    #: Of the different values that are kept for exact matches, and of those that are found by their beginnings.
    keyword_bytes: int
    autocomplete_bytes: int
    #: What reading them took.
    seconds: float
    vectors: Sequence[VectorsSeen] = ()
    #: How fast the model embeds; None: there is no vector.
    texts_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """About as much, for one pipeline."""

    rows: int
    counted: bool
    source_bytes: int | None
    documents: int
    #: Of one, as JSON.
    document_bytes: int
    #: Of the index, without its replicas.
    index_bytes: int
    load_seconds: float
    #: With all texts embedded; None: there is nothing to embed.
    embedding_seconds: float | None
    texts_per_second: float | None
    sampled: int

    def document(self) -> Mapping[str, int | float | bool | None]:
        return {
            "rows": self.rows,
            "counted": self.counted,
            "source_bytes": self.source_bytes,
            "documents": self.documents,
            "document_bytes": self.document_bytes,
            "index_bytes": self.index_bytes,
            "load_seconds": round(self.load_seconds, 1),
            "embedding_seconds": None if self.embedding_seconds is None else round(self.embedding_seconds, 1),
            "texts_per_second": None if self.texts_per_second is None else round(self.texts_per_second, 1),
            "sampled_rows": self.sampled,
        }

    def __str__(self) -> str:
        about = "" if self.counted else "about "
        size = f" ({decimal(self.source_bytes)})" if self.source_bytes is not None else ""
        some = f", {self.documents:,} of them with documents" if self.documents != self.rows else ""
        text = f"{about}{self.rows:,} rows{size}{some}; index about {decimal(self.index_bytes)}, "
        text += f"load {_time(self.load_seconds)}"
        if self.embedding_seconds is not None:
            text += f", {_time(self.embedding_seconds)} with embedding ({self.texts_per_second:,.0f} texts/s here)"
        return text


def estimate(seen: Seen) -> Estimate:
    """Return what the sample comes to for all rows."""
    share = seen.documents / seen.sampled if seen.sampled else 1.0
    documents = round(seen.rows * share)
    mean = seen.document_bytes / max(seen.documents, 1)
    exact = _KEYWORD_FACTOR * seen.keyword_bytes + _AUTOCOMPLETE_FACTOR * seen.autocomplete_bytes
    indexed = _INDEX_FACTOR * mean + (_ID_FACTOR * seen.id_bytes + exact) / max(seen.documents, 1)
    vectors = sum(each.per_row * each.dims * 4 * _VECTOR_FACTORS.get(each.index, 1.3) for each in seen.vectors)
    # Rows are read while those before are written.
    writing = documents * (_DOCUMENT_SECONDS + mean * _BYTE_SECONDS)
    reading = seen.rows * seen.seconds / max(seen.sampled, 1)
    load = max(writing, reading)
    texts = seen.rows * sum(each.per_row for each in seen.vectors)
    return Estimate(
        rows=seen.rows,
        counted=seen.counted,
        source_bytes=seen.bytes,
        documents=documents,
        document_bytes=round(mean),
        index_bytes=round(documents * indexed + seen.rows * vectors),
        load_seconds=load,
        embedding_seconds=max(load, texts / seen.texts_per_second) if seen.texts_per_second else None,
        texts_per_second=seen.texts_per_second,
        sampled=seen.sampled,
    )


def _time(seconds: float) -> str:
    for limit, unit, name in ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h")):
        if seconds < limit:
            return "within seconds" if seconds < 10 else f"about {_two_digits(seconds / unit)} {name}"
    return f"about {_two_digits(seconds / 86_400)} days"


def _two_digits(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}".removesuffix(".0")
