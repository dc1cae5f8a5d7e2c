"""Dead letters by what is wrong with them, for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from syncer.core.key import Key
from syncer.core.settlement import DeadLetter

#: Keys that a group names.
EXAMPLES_MAX = 5
_CAUSE_CHARACTERS_MAX = 200

#: Line and column in the request.
_PLACE = re.compile(r"\[\d+:\d+\] ")
#: What Elasticsearch adds of this one row: its id, its value, and what a parser said of the value.
_OWN_WORDS = re.compile(r"(?: in document with id '|[.:]? Preview of ).*", re.DOTALL)
#: Quoted text and numbers; not `field="title"`, nor the apostrophe of "the field's".
_VALUE = re.compile(r"""(?<![\w=])(?:'.*?'|".*?")(?!\w)|(?<![\w.])-?\d[\d.]*(?!\w)""", re.DOTALL)


@dataclass(slots=True)
class LetterGroup:
    """Dead letters of one kind and cause."""

    kind: str
    cause: str
    first_at: datetime
    last_at: datetime
    #: How many there are.
    letters: int = 0
    #: Of the letter with the most.
    attempts: int = 0
    #: How many are delivered again by themselves, and when the first of them is.
    passing: int = 0
    retry_at: datetime | None = None
    examples: list[Key] = field(default_factory=list)

    def add(self, letter: DeadLetter) -> None:
        self.letters += 1
        self.attempts = max(self.attempts, letter.attempts)
        self.first_at, self.last_at = min(self.first_at, letter.since), max(self.last_at, letter.at)
        if letter.retry_at is not None:
            self.passing += 1
            self.retry_at = min(self.retry_at or letter.retry_at, letter.retry_at)
        if len(self.examples) < EXAMPLES_MAX:
            self.examples.append(letter.key)


def grouped(letters: Iterable[DeadLetter]) -> Sequence[LetterGroup]:
    """Return the groups, the largest first."""
    groups: dict[tuple[str, str], LetterGroup] = {}
    for letter in letters:
        place = letter.kind, cause(letter.reason)
        groups.setdefault(place, LetterGroup(*place, letter.since, letter.at)).add(letter)
    return sorted(groups.values(), key=lambda group: -group.letters)


def cause(reason: str) -> str:
    """Return a reason without what differs from row to row, so that equal causes read the same."""
    first, _, _ = reason.partition("\n")  # a traceback follows
    shared = _OWN_WORDS.sub("", _PLACE.sub("", first))
    return _VALUE.sub("…", shared)[:_CAUSE_CHARACTERS_MAX]
