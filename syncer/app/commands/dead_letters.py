"""`syncer dead-letters`: rows that could not be indexed, to look at, to deliver again, to forget."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from syncer.adapters.postgres.state import PostgresStateStore
from syncer.app.commands.following import followed_index
from syncer.app.commands.summary import Summary, summary_table
from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.printable import printable
from syncer.app.wiring import Application
from syncer.core.error import ConfigurationError
from syncer.core.index import IndexRecord, Role
from syncer.core.key import Key, document_id, parse_document_id
from syncer.core.letter_group import LetterGroup, grouped
from syncer.core.settlement import DeadLetter
from syncer.engine.resync import resync

#: Letters that are read at once.
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Choice:
    """Which dead letters: of a kind, or of some keys, or all of them."""

    kind: str | None = None
    #: As document ids.
    keys: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.kind is not None and self.keys:
            raise ConfigurationError("a key is given, and a kind", hint="give keys, or --kind")


def list_letters(invocation: Invocation, pipeline: str, choice: Choice, limit: int) -> ExitCode:
    """Print the dead letters by kind and cause: of the live index, and of the one that is to take its place."""
    with invocation.application() as (application, _):
        everywhere = _all(application, pipeline)
        live, *building = [_Listed(each.index, grouped(each.chosen(choice)), limit) for each in everywhere]
    document = {
        "pipeline": pipeline,
        **live.document(),
        "building": building[0].document() if building else None,
    }

    def report() -> Group:
        lines = [*live.lines(f"dead letters of {pipeline}")]
        for each in building:
            lines += each.lines(f"\ndead letters of index {each.index}, which is not in its place yet")
        return Group(*lines)

    invocation.show(document, report)
    return ExitCode.DONE


@dataclass(frozen=True, slots=True)
class _Listed:
    """The dead letters of an index, as they are listed."""

    index: str
    groups: Sequence[LetterGroup]
    limit: int

    @property
    def count(self) -> int:
        return sum(group.letters for group in self.groups)

    @property
    def left_out(self) -> int:
        return max(0, len(self.groups) - self.limit)

    def document(self) -> Mapping[str, Any]:
        return {
            "index": self.index,
            "dead_letters": self.count,
            "groups": [_group_document(group) for group in self.groups[: self.limit]],
            "groups_left_out": self.left_out,
        }

    def lines(self, head: str) -> Iterator[Text]:
        yield Text(f"{head}: {self.count:,}")
        for group in self.groups[: self.limit]:
            yield from _group_lines(group)
        if self.left_out:
            yield Text(f"\nfurther causes: {self.left_out:,} (--limit {len(self.groups)})")


def show_letter(invocation: Invocation, pipeline: str, key: str) -> ExitCode:
    """Print all that is known of a key's dead letter, in the live index and in the one that is to take its place."""
    with invocation.application() as (application, _):
        everywhere = _all(application, pipeline)
        found = [(each.index, letter) for each in everywhere for letter in each.of(key)]
        if not found:
            raise everywhere[0].unknown(key)
    documents = [_letter_document(index, letter) for index, letter in found]

    def report() -> Table:
        table = Table.grid(padding=(0, 2))
        for document in documents:
            for name, value in {"pipeline": pipeline, **document}.items():
                # A reason may end with a traceback.
                lines = str(value).splitlines() if name == "reason" else [str(value)]
                table.add_row(name, Text("–" if value is None else "\n".join(map(printable, lines))))
            table.add_row()
        return table

    invocation.show({"pipeline": pipeline, "letters": documents}, report)
    return ExitCode.DONE


def _letter_document(index: str, letter: DeadLetter) -> Mapping[str, Any]:
    return {
        "index": index,
        "key": document_id(letter.key),
        "kind": letter.kind,
        "reason": letter.reason,
        "version": letter.version,
        "attempts": letter.attempts,
        "first_at": letter.since.isoformat(),
        "last_at": letter.at.isoformat(),
        "retry_at": letter.retry_at.isoformat() if letter.retry_at else None,
    }


def replay_letters(invocation: Invocation, pipeline: str, choice: Choice) -> ExitCode:
    """Deliver the rows of dead letters as they are now; a good write closes the letter."""
    with invocation.application() as (application, clock):
        started = clock.monotonic()
        letters = _Letters(application, pipeline)
        keys = [letter.key for letter in letters.chosen(choice)]
        built = application.pipeline(pipeline)
        # What is refused here was refused before: the limit has nothing to protect, and would keep from mending a
        # pipeline that has passed it.
        unlimited = replace(built, limits=replace(built.limits, rejections=sys.maxsize))
        record = followed_index(built)
        reader = built.reader()
        try:
            report = resync(unlimited, reader.documents, record.name, _Keys(keys))
        finally:
            reader.close()
        remaining = letters.open_among(keys)
        summary = Summary(pipeline, report, clock.monotonic() - started, bool(remaining or clock.stopping()))
    invocation.show({**summary.document(), "remaining": remaining}, lambda: summary_table([summary]))
    return summary.exit_code


def discard_letters(invocation: Invocation, pipeline: str, choice: Choice, *, all_: bool) -> ExitCode:
    """Forget dead letters. Their rows stay out of the index until they change."""
    if [choice.kind is not None, bool(choice.keys), all_].count(True) != 1:
        raise ConfigurationError("discard needs to know which dead letters", hint="give keys, or --kind, or --all")
    with invocation.application() as (application, _):
        letters = _Letters(application, pipeline)
        discarded = letters.discard(choice)
    invocation.show(
        {"pipeline": pipeline, "discarded": discarded}, lambda: f"discarded dead letters of {pipeline}: {discarded:,}"
    )
    return ExitCode.DONE


def _all(application: Application, pipeline: str) -> Sequence[_Letters]:
    """Return those of the live index, and of the one that is built or waits to take its place, if there is one."""
    live = _Letters(application, pipeline)
    records = application.store.indices(pipeline)
    return [live, *(_Letters(application, pipeline, each) for each in records if each.role is Role.BUILDING)]


class _Letters:
    """The dead letters of an index."""

    def __init__(self, application: Application, pipeline: str, record: IndexRecord | None = None) -> None:
        """record: in place of the live index."""
        application.names([pipeline])
        self._pipeline = pipeline
        self._store: PostgresStateStore = application.store
        record = record or self._store.index(pipeline)
        if record is None:
            raise ConfigurationError(
                f"pipeline {pipeline!r} has no index yet, and no dead letters", hint=f"load it: syncer run {pipeline}"
            )
        self.index = record.name

    def of(self, id_: str) -> Sequence[DeadLetter]:
        """Return the letter of a document id, or nothing."""
        try:
            return list(self.chosen(Choice(keys=[id_])))
        except ConfigurationError:
            return []

    def chosen(self, choice: Choice) -> Iterator[DeadLetter]:
        """Yield the letters, the one open longest first. Raises ConfigurationError for a key that has none."""
        return self._read(choice.kind, self._keys(choice))

    def discard(self, choice: Choice) -> int:
        return self._store.discard(self.index, kind=choice.kind, keys=self._keys(choice))

    def open_among(self, keys: Sequence[Key]) -> int:
        """Return how many of the keys have an open letter."""
        return sum(
            len(self._store.dead_letters(self.index, _PAGE, keys=keys[start : start + _PAGE]))
            for start in range(0, len(keys), _PAGE)
        )

    def _read(self, kind: str | None, keys: Sequence[Key] | None) -> Iterator[DeadLetter]:
        after: DeadLetter | None = None
        while page := self._store.dead_letters(self.index, _PAGE, after=after, kind=kind, keys=keys):
            yield from page
            after = page[-1]

    def _keys(self, choice: Choice) -> Sequence[Key] | None:
        if not choice.keys:
            return None
        # Keys of one table have as many parts as each other, and no connection to the source is needed to count them.
        parts = next((len(letter.key) for letter in self._store.dead_letters(self.index, 1)), 1)
        keys = {self._parsed(id_, parts): id_ for id_ in choice.keys}
        known = {letter.key for letter in self._read(None, list(keys))}
        for key, id_ in keys.items():
            if key not in known:
                raise self.unknown(id_)
        return list(keys)

    def _parsed(self, id_: str, parts: int) -> Key:
        try:
            return parse_document_id(id_, parts)
        except ValueError as error:
            raise self.unknown(id_) from error

    def unknown(self, id_: str) -> ConfigurationError:
        return ConfigurationError(
            f"pipeline {self._pipeline!r} has no dead letter '{printable(id_)}'",
            hint=f"see what there is: syncer dead-letters list {self._pipeline}; "
            "of an index that is not in its place yet, letters can be listed and shown, no more",
        )


class _Keys:
    """Implements `KeyFeed` on keys that are known.

    As they are: a letter is closed under the very key that it was opened for, and the table may write it otherwise by
    now.
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = keys
        self._places = {key: place for place, key in enumerate(keys)}

    def read(self, after: Key | None, through: Key | None, rows: int) -> Sequence[Key]:
        start = 0 if after is None else self._places[after] + 1
        end = len(self._keys) if through is None else self._places[through] + 1
        return self._keys[start : min(end, start + rows)]


def _group_document(group: LetterGroup) -> Mapping[str, Any]:
    return {
        "kind": group.kind,
        "cause": group.cause,
        "dead_letters": group.letters,
        "attempts": group.attempts,
        "first_at": group.first_at.isoformat(),
        "last_at": group.last_at.isoformat(),
        "retried": group.passing,
        "retry_at": group.retry_at.isoformat() if group.retry_at else None,
        "examples": [document_id(key) for key in group.examples],
    }


def _group_lines(group: LetterGroup) -> Sequence[Text]:
    indent = " " * 4
    lines = [
        Text(f"\n{group.letters:,} × {group.kind}: {printable(group.cause)}"),
        Text(f"{indent}rows {', '.join(printable(document_id(key)) for key in group.examples)}{_more(group)}"),
        Text(f"{indent}first {_time(group.first_at)}, last {_time(group.last_at)}, attempts up to {group.attempts:,}"),
    ]
    if group.retry_at:
        lines.append(Text(f"{indent}delivered again by themselves: {group.passing:,}, next {_time(group.retry_at)}"))
    return lines


def _more(group: LetterGroup) -> str:
    return ", …" if group.letters > len(group.examples) else ""


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
