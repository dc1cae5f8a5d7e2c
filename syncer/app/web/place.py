"""Where somebody is among the results, as an address: every link of the search page is one of these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from syncer.core.search.request import Mode


@dataclass(frozen=True, slots=True)
class Place:
    """A search, as an address has it."""

    #: None: there is one alone.
    pipeline: str | None = None
    text: str = ""
    #: None: the pipeline's best.
    mode: Mode | None = None
    #: `field:value` each.
    filters: tuple[str, ...] = ()
    #: `field:start..end` each.
    ranges: tuple[str, ...] = ()
    #: `-field`, or `field`; None: by how well they match.
    sort: str | None = None
    page: int = 1
    #: A document that others are to be like; the text is not looked for then.
    similar: str | None = None

    @property
    def url(self) -> str:
        return self._with(self.pairs())

    @property
    def suggestions(self) -> str:
        """Where the API completes what is typed, within the same filters; `q` is to be added."""
        named = {"pipeline", "filter", "range"}
        return f"/suggest?{urlencode([pair for pair in self.pairs() if pair[0] in named])}"

    def pairs(self) -> list[tuple[str, str]]:
        """Return the parameters, without those that say what goes without saying."""
        return list(self._pairs())

    def _pairs(self) -> Iterator[tuple[str, str]]:
        if self.pipeline is not None:
            yield "pipeline", self.pipeline
        if self.similar is not None:
            yield "similar", self.similar
        elif self.text:
            yield "q", self.text
        if self.mode is not None and self.similar is None:
            yield "mode", self.mode.value
        yield from (("filter", text) for text in self.filters)
        yield from (("range", text) for text in self.ranges)
        if self.sort is not None:
            yield "sort", self.sort
        if self.page > 1:
            yield "page", str(self.page)

    @staticmethod
    def _with(pairs: list[tuple[str, str]]) -> str:
        return f"/?{urlencode(pairs)}" if pairs else "/"

    def at(self, page: int) -> Place:
        return replace(self, page=page)

    def toggled(self, path: str, value: str) -> Place:
        """Return the place with a value chosen, or with it no longer chosen."""
        text = f"{path}:{value}"
        others = tuple(each for each in self.filters if each != text)
        return replace(self, page=1, filters=others if text in self.filters else (*others, text))

    def within(self, path: str, bounds: str | None) -> Place:
        """Return the place with these bounds of a field alone, as in `1..2`; None: with none."""
        others = tuple(each for each in self.ranges if each.partition(":")[0] != path)
        return replace(self, page=1, ranges=others if bounds is None else (*others, f"{path}:{bounds}"))

    def bounds(self, path: str) -> str | None:
        """Return the bounds of a field that are chosen."""
        return next((text for field, _, text in (each.partition(":") for each in self.ranges) if field == path), None)

    def free(self) -> Place:
        """Return the place with nothing chosen."""
        return replace(self, page=1, filters=(), ranges=())

    def by(self, mode: Mode) -> Place:
        """Return the place searched in another way: what is sorted by a field is found by its words."""
        return replace(self, page=1, mode=mode, sort=self.sort if mode is Mode.KEYWORD else None)

    def sorted_by(self, sort: str | None) -> Place:
        mode = self.mode if sort is None or not self.text else Mode.KEYWORD
        return replace(self, page=1, sort=sort, mode=mode)

    def like(self, document: str) -> Place:
        """Return the place of documents like one, whatever was looked for."""
        return Place(self.pipeline, similar=document)

    def of(self, text: str) -> Place:
        """Return the place of another text within the same filters."""
        return replace(self, text=text, page=1, similar=None)
