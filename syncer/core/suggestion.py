"""What was probably meant by a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

#: Longer lists help nobody.
_NAMES_MAX = 20


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return a hint: the nearest of the known names, or the names that there are."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1) or [n for n in names if n.lower() == name.lower()]
    if close:
        return f"did you mean {close[0]}?"
    if not names:
        return "there is none"
    more = ", …" if len(names) > _NAMES_MAX else ""
    return f"there is: {', '.join(names[:_NAMES_MAX])}{more}"
