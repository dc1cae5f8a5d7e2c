"""Text of others, such as keys, as it is shown on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return the text with what a terminal would obey, or not show, as in \x1b. A backslash stays as it is typed."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    """Return the text with what a terminal would obey, but for its line breaks."""
    return "\n".join(map(printable, text.split("\n")))
