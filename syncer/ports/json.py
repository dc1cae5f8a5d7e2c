"""JSON as text and as values."""

from __future__ import annotations

from typing import Any, Protocol


class Json(Protocol):
    """Reads and writes JSON. Safe to call from several threads."""

    def parse(self, text: str) -> Any:
        """Return the value of a text. Raises ValueError for one that it cannot read."""

    def write(self, value: Any) -> str:
        """Return a value as a text on one line. Raises TypeError and ValueError for one that is not JSON."""
