"""What tests of the state store put into it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from syncer.core.index import IndexRecord, Phase
from syncer.core.key import Key
from syncer.core.position import Position
from syncer.core.settlement import Checkpoint, DeadLetter

NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
INDEX = "items-1"
RECORD = IndexRecord(INDEX, "items", "items", Phase.NEW, 0, {})
#: Its name comes before that of the index that is followed, as it never does in truth: no order may lean on names.
BUILT = "a-items-2"
BUILDING = IndexRecord(BUILT, "items", "items", Phase.READY, 0, {}, followed=False)
CHECKPOINT = Checkpoint(Position(NOON), NOON, complete=True)

#: Keys are any text that Postgres can hold.
ODD_KEYS: list[Key] = [
    ("",),
    ("'",),
    ('"', "{1,2}"),
    ("\\", "NULL"),
    ("null", ""),
    ("line\nbreak", "tab\t"),
    ("%s", ":name", "$1"),
    ("ключ", "键", "🔑", "e\u0301"),
    ("\x01\x7f\u2028\ufffe",),
    ("x" * 5000,),
]


def a_letter(
    key: Key, version: int, *, kind: str = "refused", reason: str = "bad", minute: int = 0, passing: bool = False
) -> DeadLetter:
    return DeadLetter(key, version, kind, reason, NOON + timedelta(minutes=minute), passing=passing)
