"""Where the vectors of texts came from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TextCounts:
    """Texts that were to be embedded; counts add up."""

    embedded: int = 0
    #: Whose vector was in the cache.
    cached: int = 0
    #: Of those embedded, the texts whose end the model did not read.
    truncated: int = 0

    def __add__(self, other: TextCounts) -> TextCounts:
        return TextCounts(self.embedded + other.embedded, self.cached + other.cached, self.truncated + other.truncated)

    def __bool__(self) -> bool:
        return self != TextCounts()

    @property
    def hit_ratio(self) -> float | None:
        """Share of the texts whose vector was in the cache; None: there were none."""
        wanted = self.embedded + self.cached
        return self.cached / wanted if wanted else None
