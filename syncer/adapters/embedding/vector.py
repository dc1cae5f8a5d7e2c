"""Vectors as they are stored: float32, little-endian, as a rule of length one; and the texts that have none."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

from syncer.core.error import ConfigurationError, FatalError
from syncer.core.outcome import Rejected
from syncer.core.vector import NO_VECTOR

#: Of float32.
_FLOAT_MAX = 3.4e38

#: In the fingerprint of a model whose vectors are not scaled.
UNSCALED = "-unscaled"

_NOT_FINITE = Rejected(NO_VECTOR, "the model made a vector of its text that holds NaN or infinity")
_ZERO = Rejected(NO_VECTOR, "the model made a vector of its text that is zero: it knows no word of it")


def rows(vectors: Any, dims: int, *, named: str, hint: str = "") -> Sequence[bytes | Rejected]:
    """Return the rows of a numpy array, which are scaled already, or zero. Raises ConfigurationError where they
    are not `dims` long; named: the setting and the model, for messages."""
    if vectors.shape[-1] != dims:
        raise _misfit(vectors.shape[-1], dims, named, hint)
    # A sum of squares that is not finite has a part that is not; nothing here is near overflow.
    squares = (vectors * vectors).sum(axis=1).tolist()
    return [
        vector.tobytes() if math.isfinite(square) and square > 0 else _none(square)
        for vector, square in zip(vectors.astype("<f4"), squares, strict=True)
    ]


def row(values: Sequence[float | None], dims: int, *, named: str, unit: bool = True) -> bytes | Rejected:
    """Return a vector that came as JSON, scaled to length one where `unit`; null stands for NaN there. Without numpy,
    which nobody needs who asks a server."""
    if len(values) != dims:
        raise _misfit(len(values), dims, named, "give embedding.dims the length that the server's vectors have")
    numbers = [math.nan if value is None else value for value in values]
    length = math.hypot(*numbers)
    if not 0 < length < (math.inf if unit else _FLOAT_MAX):
        return _none(length)
    return struct.pack(f"<{dims}f", *((number / length for number in numbers) if unit else numbers))


def all_of(results: Sequence[bytes | Rejected]) -> Sequence[bytes]:
    """Return the vectors. Raises FatalError where a text has none: a row's vector is never left out unsaid."""
    for result in results:
        if isinstance(result, Rejected):
            raise FatalError(f"a text cannot be embedded: {result.reason}", hint="mend the row, or the model")
    return [result for result in results if isinstance(result, bytes)]


def _none(length: float) -> Rejected:
    return _ZERO if length == 0 else _NOT_FINITE


def _misfit(length: int, dims: int, named: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"{named} makes vectors of {length} dimensions, not {dims}", hint=hint)
