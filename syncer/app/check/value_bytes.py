"""What of documents is indexed besides their words: values as a whole, and the beginnings of words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any


def keyword_bytes(properties: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]) -> int:
    """Return what the different values of fields for exact matches take. properties: of the mapping."""
    return sum(
        sum(len(value.encode("utf-8", "surrogatepass")) for value in set(_values(path, documents)))
        for path, field in _fields(properties)
        if field.get("type") == "keyword" or "keyword" in field.get("fields", {})
    )


def autocomplete_bytes(properties: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]) -> int:
    """Return what the values of fields take whose words are found by their beginnings."""
    return sum(
        sum(len(value.encode("utf-8", "surrogatepass")) for value in _values(path, documents))
        for path, field in _fields(properties)
        if "autocomplete" in field.get("fields", {})
    )


def _fields(properties: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, field in properties.items():
        yield (*path, name), field
        yield from _fields(field.get("properties", {}), (*path, name))


def _values(path: tuple[str, ...], documents: Iterable[Any]) -> Iterator[str]:
    for found in documents:
        if isinstance(found, list):
            yield from _values(path, found)
        elif path and isinstance(found, Mapping):
            yield from _values(path[1:], [found.get(path[0])])
        elif not path and isinstance(found, str):
            yield found
