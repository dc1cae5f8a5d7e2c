"""Which texts go through a model together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def passes(lengths: Sequence[int], tokens_max: int) -> Iterator[Sequence[int]]:
    """Yield the numbers of the texts in passes of at most so many tokens, the padding counted; the longest first."""
    order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    start = 0
    while start < len(order):
        end = start + max(1, tokens_max // max(1, lengths[order[start]]))
        yield order[start:end]
        start = end
