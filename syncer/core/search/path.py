"""The values at a path in a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def values_at(path: str, document: Any) -> list[Any]:
    """Return the values at a path, those of lists one by one, whether its dots are in names or between them."""
    if document is None:
        return []
    if isinstance(document, list):
        return [value for each in document for value in values_at(path, each)]
    if not path:
        return [document]
    if not isinstance(document, Mapping):
        return []
    return [
        value
        for name, inner in document.items()
        if path == name or path.startswith(f"{name}.")
        for value in values_at(path.removeprefix(name).removeprefix("."), inner)
    ]
