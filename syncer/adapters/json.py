"""JSON by orjson."""

from __future__ import annotations

import math
from typing import Any

import orjson

#: A dataclass is a mistake rather than a document, and what its numbers are would have to be looked into.
_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS


class OrJson:
    """Implements `Json`; dates, times, UUIDs and enums are written as text."""

    def parse(self, text: str) -> Any:
        """Return the value of a text. Whole numbers above 64 bits, and fractions, are floats."""
        return orjson.loads(text)

    def write(self, value: Any) -> str:
        """Return a value as a text; see `ports.Json`."""
        text = orjson.dumps(value, option=_STRICT)
        # orjson writes null for NaN and infinities. Rejected: a walk through every document, which takes as long as
        # writing it.
        if b"null" in text and not _finite(value):
            raise ValueError("NaN and infinite numbers are none")
        return text.decode()


def _finite(value: Any) -> bool:
    values = [value]
    while values:
        inner = values.pop()
        if isinstance(inner, dict):
            values += inner.values()
        elif isinstance(inner, list | tuple):
            values += inner
        elif isinstance(inner, float) and not math.isfinite(inner):
            return False
    return True
