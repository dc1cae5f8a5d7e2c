"""Vectors by text, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class MemoryVectorCache:
    """Implements `VectorCache`."""

    def __init__(self) -> None:
        self._vectors: dict[tuple[str, bytes], bytes] = {}

    def get(self, fingerprint: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        found = {digest: self._vectors.get((fingerprint, digest)) for digest in digests}
        return {digest: vector for digest, vector in found.items() if vector is not None}

    def touch(self, fingerprint: str, digests: Sequence[bytes]) -> None:
        """Nothing is ever deleted."""

    def put(self, fingerprint: str, vectors: Mapping[bytes, bytes]) -> None:
        for digest, vector in vectors.items():
            self._vectors.setdefault((fingerprint, digest), vector)
