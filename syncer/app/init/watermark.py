"""Which column of a table tells that a row has changed, judged by its name, its type and what sets it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from syncer.adapters.postgres.survey import Found
from syncer.core.table import Column

_TYPES = ("timestamptz", "timestamp")
#: `updated_at`, `last_modified`, `date_changed`, `mtime`, but not `password_changed_at`, which tells of one column.
_NAME = re.compile(
    r"(?:(?:last|row|record|date|sys|dt)_)*"
    r"(?:update|updated|modify|modified|modification|change|changed|mtime|touched)"
    r"(?:_(?:at|on|ts|time|date|datetime|timestamp|stamp|utc))*"
)
_UTC = re.compile(r"\butc\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A column that may be the watermark."""

    column: str
    score: int
    #: Its name says so, or a trigger sets it: else only people can know.
    likely: bool
    #: Why, for people.
    reasons: Sequence[str]
    #: It has no time zone, so that one must be told.
    zoneless: bool


def candidates(table: Found) -> Sequence[Candidate]:
    """Return the columns that are times, the best first."""
    times = [column for column in table.columns.values() if column.type in _TYPES and not column.array]
    return sorted((_judged(table, column) for column in times), key=lambda each: (not each.likely, -each.score))


def zone_of(table: Found, column: str, zone: str) -> str:
    """Return the zone that the writers of a column without time zone seem to keep; zone: of the server's sessions."""
    sources = [table.defaults.get(column, ""), *(each for each in table.triggers if _names(each, column))]
    if any(_UTC.search(source) for source in sources):
        return "UTC"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "UTC"
    # `localtime` is the server's, and would be read as this machine's.
    return "UTC" if zone in {"GMT", "Etc/UTC", "Etc/GMT", "localtime"} else zone


def is_touched(table: Found, column: str) -> bool:
    """Tell whether a trigger seems to set the column at an update."""
    # As the check sees it.
    return any(column in source for source in table.triggers)


def is_led(table: Found, order: Sequence[str]) -> bool:
    """Tell whether an index begins with these columns."""
    return any(list(index[: len(order)]) == list(order) for index in table.indexed)


def _judged(table: Found, column: Column) -> Candidate:
    name = column.name
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    named = _NAME.fullmatch(plain) is not None
    assigned = any(_assigns(source, name) for source in table.triggers)
    signs = [
        (named, 5 if plain == "updated_at" else 4, "named for it"),
        (assigned or (named and is_touched(table, name)), 6, "a trigger sets it"),
        (column.type == "timestamptz", 8, "with time zone"),
        (is_led(table, [name]), 2, "an index begins with it"),
        (not column.nullable, 1, "never NULL"),
        (name in table.defaults, 1, "has a default"),
    ]
    return Candidate(
        name,
        sum(points for there, points, _ in signs if there),
        named or assigned,
        [reason for there, _, reason in signs if there],
        column.type == "timestamp",
    )


def _names(source: str, column: str) -> bool:
    return re.search(rf"\b{re.escape(column)}\b", source) is not None


def _assigns(source: str, column: str) -> bool:
    return re.search(rf'\bnew\s*\.\s*"?{re.escape(column)}"?\s*:?=', source, re.IGNORECASE) is not None
