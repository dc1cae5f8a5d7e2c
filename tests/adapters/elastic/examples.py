"""Documents to write."""

from __future__ import annotations

import struct

from syncer.core.change import Document, Draft


def a_document(key: str, body: str = "{}", *, version: int = 100, vector: list[float] | None = None) -> Document:
    vectors = {"v": struct.pack("<3f", *vector)} if vector else {}
    return Document(Draft((key,), body, -7, {}), vectors, version)
