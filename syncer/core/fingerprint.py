"""What an index was built from, as digests by part, so that a difference can be named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any


def fingerprint(parts: Mapping[str, Any]) -> dict[str, str]:
    """Return a digest of each part: `mapping`, `hydration`, `embedding`, …; parts are JSON-like values."""
    return {name: _digest(value) for name, value in parts.items()}


#: More changes of mind than anybody remembers.
SUPERSEDED_MAX = 20


def signature(fingerprint: Mapping[str, str]) -> str:
    """Return a fingerprint in one word."""
    return _digest(dict(fingerprint))


def superseding(superseded: Sequence[str], old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """Return the signatures that have been replaced once a new fingerprint takes the place of an old one."""
    known = [*superseded, signature(old)]
    return tuple(dict.fromkeys(one for one in known if one != signature(new)))[-SUPERSEDED_MAX:]


def differences(built: Mapping[str, str], configured: Mapping[str, str]) -> list[str]:
    """Return the names of the parts that differ, in order."""
    return sorted(name for name in {*built, *configured} if built.get(name) != configured.get(name))


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
