"""What an index is built from, by part, and in words how two of them differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from syncer.core.fingerprint import differences
from syncer.core.index import IndexRecord

#: Differences that are told one by one.
LINES_MAX = 20
#: Characters of a value that are shown.
SHOWN_MAX = 120
#: Of a longer value, the characters before the first that differs.
_BEFORE = 20

#: In `embedding`, which holds the model and the first field's text: other fields, by name.
FURTHER = "further"

_PLAIN = re.compile(r"[\w.:@/%+-]+")
#: What holds fields in a mapping; all else is a parameter.
_INNER = ("fields", "properties")


def changes(record: IndexRecord, fingerprint: Mapping[str, str], definition: Mapping[str, Any]) -> list[str]:
    """Return how a configuration differs from what an index was built from, a line each.

    The record of an index that an older version of syncer built holds no definition: then the parts alone are named.
    """
    parts = differences(record.fingerprint, fingerprint)
    told = differences_between(record.definition, definition) if parts and record.definition else []
    return told or [f"{part} changed" for part in parts]


def differences_between(built: Mapping[str, Any], configured: Mapping[str, Any]) -> list[str]:
    """Return how two definitions differ, a line each, and a last one that counts those left out."""
    lines = [line for part in {**configured, **built} for line in _part(part, built, configured)]
    left_out = len(lines) - LINES_MAX
    return lines if left_out <= 0 else [*lines[:LINES_MAX], f"and {left_out:,} more"]


def only_adds(built: Mapping[str, Any], configured: Mapping[str, Any]) -> bool:
    """Tell whether a definition adds fields, sub-fields or embeddings to another, and changes nothing else.

    Whether the values of the other fields are still made alike, only the hydration statements tell.
    """
    if not built or built.keys() - configured.keys() or configured.keys() - built.keys() - {"embedding"}:
        return False
    others = built.keys() - {"mapping", "hydration", "embedding"}
    return (
        all(built[part] == configured[part] for part in others)
        and ("embedding" not in built or _holds_embedding(configured["embedding"], built["embedding"]))
        and built["hydration"].get("session") == configured["hydration"].get("session")
        and _holds(configured["mapping"], built["mapping"])
    )


def _holds(larger: Mapping[str, Any], smaller: Mapping[str, Any]) -> bool:
    """Tell whether a field's mapping is another one's, but for further fields inside."""
    if any(larger.get(name) != smaller.get(name) for name in {*larger, *smaller} if name not in _INNER):
        return False
    return all(
        name in larger.get(inner, {}) and _holds(larger[inner][name], field)
        for inner in _INNER
        for name, field in smaller.get(inner, {}).items()
    )


def _holds_embedding(larger: Mapping[str, Any], smaller: Mapping[str, Any]) -> bool:
    """Tell whether an embedding is another one, but for further fields behind the first."""
    further, known = larger.get(FURTHER, {}), smaller.get(FURTHER, {})
    return {**larger, FURTHER: {}} == {**smaller, FURTHER: {}} and known.items() <= further.items()


def _part(part: str, built: Mapping[str, Any], configured: Mapping[str, Any]) -> Iterator[str]:
    if part not in built:
        yield f"{part} is new"
    elif part not in configured:
        yield f"{part} was removed"
    elif built[part] == configured[part]:
        return
    elif part == "mapping":
        yield from (f"mapping: {line}" for line in _field("", built[part], configured[part]))
    elif part == "hydration":
        others = built.get("embedding") == configured.get("embedding")
        yield from (f"hydration: {line}" for line in _hydration(built[part], configured[part], alone=others))
    elif isinstance(built[part], Mapping) and isinstance(configured[part], Mapping):
        yield from (f"{part}: {line}" for line in _values("", built[part], configured[part]))
    else:
        yield from _value(part, built[part], configured[part])


def _field(path: str, built: Mapping[str, Any], configured: Mapping[str, Any]) -> Iterator[str]:
    """Yield how the mappings of one field differ, or of all of them."""
    yield from _values(path, _parameters(built), _parameters(configured))
    for inner in _INNER:
        was, now = built.get(inner, {}), configured.get(inner, {})
        for name in {**was, **now}:
            if name not in was:
                yield f"{path}{name} is new"
            elif name not in now:
                yield f"{path}{name} was removed"
            else:
                yield from _field(f"{path}{name}.", was[name], now[name])


def _parameters(field: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in field.items() if name not in _INNER}


def _hydration(built: Mapping[str, Any], configured: Mapping[str, Any], *, alone: bool) -> Iterator[str]:
    """Yield how hydration differs; alone: the embedding, whose text is hydrated too, is the same."""
    told = {"fields", "vectors", "statement", "relations"}
    lines = list(
        _values(
            "",
            {name: value for name, value in built.items() if name not in told},
            {name: value for name, value in configured.items() if name not in told},
        )
    )
    before, after = built.get("relations", {}), configured.get("relations", {})
    for name in before.keys() & after.keys():
        lines += _values(f"relations.{name}.", before[name], after[name])
    was, now = dict(built.get("fields", ())), dict(configured.get("fields", ()))
    for name in was.keys() & now.keys():
        lines += _value(f"the value of {name}", was[name], now[name])
    if [name for name in was if name in now] != [name for name in now if name in was]:
        lines.append("the fields stand in another order")
    yield from sorted(lines)
    # Fields that come and go, and relations with them, are told with the mapping, and a text with its embedding.
    if not lines and alone and was.keys() == now.keys():
        yield from _value("the statement", built.get("statement", ""), configured.get("statement", ""))


def _values(path: str, built: Mapping[str, Any], configured: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*built, *configured}):
        was, now = built.get(name), configured.get(name)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from _values(f"{path}{name}.", was, now)
        else:
            yield from _value(f"{path}{name}", was, now)


def _value(path: str, built: Any, configured: Any) -> Iterator[str]:
    if built == configured:
        return
    if built is None:
        yield f"{path} is not set, configured {_excerpt(_text(configured))}"
    elif configured is None:
        yield f"{path} is {_excerpt(_text(built))}, not configured"
    else:
        was, now = _text(built), _text(configured)
        start = 0
        if max(len(was), len(now)) > SHOWN_MAX:
            # From their beginning, both might look alike.
            differs = (i for i, (one, other) in enumerate(zip(was, now, strict=False)) if one != other)
            start = max(0, next(differs, min(len(was), len(now))) - _BEFORE)
        yield f"{path} is {_excerpt(was, start)}, configured {_excerpt(now, start)}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _excerpt(text: str, start: int = 0) -> str:
    shown = ("…" if start else "") + text[start : start + SHOWN_MAX] + ("…" if len(text) > start + SHOWN_MAX else "")
    if _PLAIN.fullmatch(shown):
        return shown
    return f"`{shown}`".replace("\r", "\\r").replace("\n", "\\n")
