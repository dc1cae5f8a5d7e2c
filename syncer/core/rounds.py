"""Which fan-outs have gone round once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from syncer.core.fan_out import FanOut
from syncer.core.key import Key

#: Fan-outs that are remembered after they have gone round. One that is forgotten has to go round again.
ROUND_MAX = 10_000


class Rounds:
    """Counts, since it was made; keys cannot be compared, so a circle is known to be closed at its second end."""

    def __init__(self) -> None:
        #: By place, how often it has come to its end.
        self._open: dict[tuple[str, Key], int] = {}
        self._round: set[tuple[str, Key]] = set()
        #: Those that have had a turn, until one has its second.
        self._met: set[tuple[str, Key]] = set()
        self._met_all = False

    @property
    def complete(self) -> bool:
        """Whether all that were there, or have begun since, have gone round; each once."""
        return self._met_all and not self._open

    def next(self, fan_out: FanOut | None) -> None:
        """Take note of the fan-out whose turn it is: they take turns, so the first that comes again tells that all
        have been met."""
        if fan_out is None:
            self._met_all = True
            self._open.clear()
            return
        if fan_out.place not in self._round:
            self._open.setdefault(fan_out.place, 0)
        self._met_all = self._met_all or fan_out.place in self._met
        self._met = set() if self._met_all else self._met | {fan_out.place}

    def note(self, done: Mapping[FanOut, FanOut | None], begun: Iterable[FanOut]) -> None:
        """Take note of what went on, by what it was, and of what begins."""
        for was, left in done.items():
            ends = self._open.get(was.place, 0) + (left is None or left.after is None)
            if left is None or ends > 1:
                self._close(was)
            elif was.place in self._open:
                self._open[was.place] = ends
        for each in begun:
            if each.place not in self._round:
                self._open.setdefault(each.place, 0)

    def _close(self, fan_out: FanOut) -> None:
        self._open.pop(fan_out.place, None)
        if len(self._round) >= ROUND_MAX:
            self._round.clear()
        self._round.add(fan_out.place)
