"""Many texts, kept until they are wanted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile

#: In memory; what is more lies in a temporary file.
_BYTES_MAX = 4 * 2**20


class Spool:
    """Texts in the order they came. Memory is bounded: a truncated table leaves as many ids as its index has documents.

    Not for several threads.
    """

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=_BYTES_MAX, mode="w+", encoding="utf-8")  # noqa: SIM115  # see close
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, texts: Iterable[str]) -> None:
        """Keep texts."""
        for text in texts:
            # An id may hold line breaks.
            self._file.write(json.dumps(text) + "\n")
            self._count += 1

    def __iter__(self) -> Iterator[str]:
        """Yield all of them; nothing may be added meanwhile."""
        self._file.seek(0)
        for line in self._file:
            yield json.loads(line)

    def close(self) -> None:
        """Forget them."""
        self._file.close()
