"""Random changes of rows, as SQL without parameters: several of them may share one message."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from tests.chaos.related import RelatedChanges

SCHEMA = """
CREATE TABLE public.item (
    id bigint PRIMARY KEY,
    revision bigint NOT NULL,
    title text NOT NULL,
    amount numeric,
    ratio double precision,
    tags text[],
    note text,
    tenant text,
    visible boolean NOT NULL DEFAULT true,
    deleted_at timestamptz,
    updated_at timestamptz DEFAULT now()
);
CREATE INDEX ON public.item (updated_at, id);
"""
#: `note` is mapped to a number, so that a word in it is refused by the index.
FIELDS = {
    "id": "long",
    "revision": "long",
    "title": "text",
    "amount": "double",
    "ratio": "double",
    "tags": "keyword",
    "note": "integer",
    "tenant": "keyword",
    "visible": "boolean",
    "updated_at": "date",
}
COLUMNS = ", ".join(FIELDS)

#: Rows that are there before the first load, and that nothing touches but by chance: a loss among them is not healed.
COLD = 1500
#: Rows that are changed all the time.
HOT = 30
#: Rows that no writer touches, with keys below 0: a search finds all of them, whenever it is made.
STILL = 200
#: The share of changes of other tables, where there are some.
RELATED = 0.3


class Stamp(Enum):
    """How writers stamp `updated_at`, and the margin that this asks of the pipeline."""

    FINE = ("now()", "100ms")
    COARSE = ("date_trunc('second', now())", "1100ms")
    SKEWED = ("now() + (0.3 - random()) * interval '0.7 s'", "600ms")

    @property
    def sql(self) -> str:
        return self.value[0]

    @property
    def margin(self) -> str:
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Change:
    """One statement."""

    what: str
    revision: int
    keys: Sequence[int]
    sql: str


class Changes:
    """The random changes of one writer."""

    def __init__(
        self,
        chance: random.Random,
        number: int,
        stamp: Stamp,
        *,
        hard_deletes: bool,
        spoil: float,
        related: bool = False,
    ) -> None:
        """number: of the writer. spoil: the share of written rows that the index cannot take. related: the tables that
        are part of documents change too."""
        self._chance = chance
        self._stamp = stamp.sql
        self._spoil = spoil
        self._revision = number * 1_000_000_000
        self._fresh = number * 1_000_000
        self._related = RelatedChanges(chance, stamp.sql) if related else None
        self._kinds: list[Callable[[], Change]] = [self._upsert] * 6 + [self._update] * 4
        self._kinds += [self._bury, self._dig_up, self._hide, self._show, self._transfer]
        if hard_deletes:
            self._kinds += [self._delete, self._delete, self._replace, self._move]

    def any(self) -> Change:
        """Return a change of one row, or of two where a key changes, or of rows that are part of documents."""
        if self._related is not None and self._chance.random() < RELATED:
            self._revision += 1
            key = self._key()
            what, sql = self._related.any(key, self._revision)
            return Change(what, self._revision, [key], sql)
        return self._chance.choice(self._kinds)()

    def copied(self) -> tuple[Change, str]:
        """Return a bulk COPY of new rows, and its data."""
        self._revision += 1
        keys = [self._new_key() for _ in range(self._chance.randint(20, 150))]
        data = "".join(f"{key}\t{self._revision}\tcopied {key}\t{key}.5\n" for key in keys)
        sql = "COPY public.item (id, revision, title, amount) FROM STDIN"
        return Change("copy", self._revision, keys, sql), data

    def _key(self) -> int:
        drawn = self._chance.random()
        if drawn < 0.2:
            return self._chance.randrange(HOT)
        return self._chance.randrange(HOT, COLD) if drawn < 0.8 else self._new_key()

    def _new_key(self) -> int:
        self._fresh += 1
        return self._fresh

    def _upsert(self, what: str = "upsert", key: int | None = None) -> Change:
        key = self._key() if key is None else key
        self._revision += 1
        note = "'seven'" if self._chance.random() < self._spoil else str(self._revision % 1000)
        # Eighths are exact in binary: the embedded engine's numbers are not to the last digit.
        values = (
            f"{key}, {self._revision}, 'title {self._revision} ünïcode \"quoted\"' || E'\\n' || 'second line', "
            f"{self._revision % 1000}.125, {self._revision} / 8.0, ARRAY['a', 't{self._revision % 10}'], {note}::text, "
            f"'tenant {self._chance.randrange(5)}', true, {self._stamp}"
        )
        columns = [name for name in FIELDS if name != "id"]
        assignments = ", ".join(f"{name} = excluded.{name}" for name in columns)
        sql = f"INSERT INTO public.item ({COLUMNS}) VALUES ({values}) ON CONFLICT (id) DO UPDATE SET {assignments}"
        return Change(what, self._revision, [key], sql)

    def _update(self, what: str = "update", assignment: str = "title = title || '+'") -> Change:
        key = self._key()
        self._revision += 1
        sql = (
            f"UPDATE public.item SET {assignment}, revision = {self._revision}, updated_at = {self._stamp} "
            f"WHERE id = {key}"
        )
        return Change(what, self._revision, [key], sql)

    def _bury(self) -> Change:
        return self._update("bury", "deleted_at = now()")

    def _dig_up(self) -> Change:
        return self._update("dig up", "deleted_at = NULL")

    def _hide(self) -> Change:
        return self._update("hide", "visible = false")

    def _show(self) -> Change:
        return self._update("show", "visible = true")

    def _transfer(self) -> Change:
        return self._update("transfer", f"tenant = 'tenant {self._chance.randrange(5)}'")

    def _delete(self) -> Change:
        key = self._key()
        return Change("delete", self._revision, [key], f"DELETE FROM public.item WHERE id = {key}")

    def _replace(self) -> Change:
        """Delete and insert in one statement's breath: a row that was never away for others."""
        insert = self._upsert("replace")
        (key,) = insert.keys
        return Change("replace", insert.revision, [key], f"DELETE FROM public.item WHERE id = {key}; {insert.sql}")

    def _move(self) -> Change:
        """Change a key, to a new one or to that of a row that may be there."""
        key, other = self._key(), self._key()
        self._revision += 1
        sql = (
            f"UPDATE public.item SET id = {other}, revision = {self._revision}, updated_at = {self._stamp} "
            f"WHERE id = {key}"
        )
        return Change(f"{key}->{other}", self._revision, [key, other], sql)
