"""Text of a database's, as a terminal may show it."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return a text with what is not printable escaped: control characters would be commands to the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
