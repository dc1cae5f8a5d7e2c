"""Cursors, without a server: nobody else can write one, and none lasts."""

from __future__ import annotations

import base64
import json

import pytest

from syncer.adapters.elastic.search.cursor import KEEP_ALIVE, Cursors, Place
from syncer.adapters.memory.clock import MemoryClock
from syncer.core.error import RequestInvalid

PLACE = Place("point==", [1.5, "b", None], 20)


@pytest.fixture
def cursors(clock: MemoryClock) -> Cursors:
    return Cursors(b"secret", clock)


def test_a_cursor_leads_back_to_its_place(cursors: Cursors, clock: MemoryClock) -> None:
    """In every process that knows the secret, and in a text that may stand in a URL."""
    cursor = cursors.write(PLACE, "search")
    assert cursors.read(cursor, "search") == PLACE
    assert Cursors(b"secret", clock).read(cursor, "search") == PLACE
    assert cursor.replace("-", "").replace("_", "").isalnum()


def test_a_cursor_is_of_one_search(cursors: Cursors, clock: MemoryClock) -> None:
    """Of no other one, and of no other secret."""
    cursor = cursors.write(PLACE, "search")
    for other, search in ((cursors, "another"), (Cursors(b"other", clock), "search")):
        with pytest.raises(RequestInvalid, match="none that this search has given") as refused:
            other.read(cursor, search)
        assert refused.value.part == "cursor"


def test_a_forged_cursor_is_refused(cursors: Cursors) -> None:
    """Whichever byte is another one, however it is cut, and whatever else it is."""
    cursor = cursors.write(PLACE, "search")
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    forged = [bytes([*raw[:at], raw[at] ^ 1, *raw[at + 1 :]]) for at in range(len(raw))]
    forged += [raw[:-1], raw[:16], b"", raw[:16] + json.dumps(["mine", [], 0, 9e9]).encode()]
    for wrong in forged:
        with pytest.raises(RequestInvalid, match="none that this search has given"):
            cursors.read(base64.urlsafe_b64encode(wrong).decode().rstrip("="), "search")
    for wrong_text in ("", "x", "né", "a" * 200_000, "{}"):
        with pytest.raises(RequestInvalid, match="none that this search has given"):
            cursors.read(wrong_text, "search")


def test_a_cursor_expires(cursors: Cursors, clock: MemoryClock) -> None:
    """When the server forgets its point in time."""
    cursor = cursors.write(PLACE, "search")
    clock.advance(KEEP_ALIVE.total_seconds() - 1)
    assert cursors.read(cursor, "search") == PLACE
    clock.advance(2)
    with pytest.raises(RequestInvalid, match="has expired"):
        cursors.read(cursor, "search")
