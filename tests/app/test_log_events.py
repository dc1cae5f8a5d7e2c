"""What the engine tells, as log lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog
from structlog.testing import capture_logs
from structlog.typing import EventDict

from syncer.adapters.memory.clock import MemoryClock
from syncer.app.log_events import LogEvents
from syncer.app.progress import LoadLines
from syncer.core.error import LeaseHeld, SinkUnavailable, TooManyDeletions
from syncer.core.index import IndexRecord, Phase
from syncer.core.report import Report
from syncer.engine.events import Events
from syncer.engine.polled import Polled
from syncer.engine.verify import Verified

RECORD = IndexRecord("articles-1", "articles", "articles", Phase.LOADING, 3, {})


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    structlog.reset_defaults()
    with capture_logs() as logged:
        yield logged


@pytest.fixture
def events(clock: MemoryClock, logged: list[EventDict]) -> Events:
    return LogEvents("articles", LoadLines("articles", clock))


def test_a_poll_that_did_something_is_one_line(events: Events, logged: list[EventDict]) -> None:
    """With all counts; a poll that found nothing is none."""
    events.polled(Polled(Report()), 0.01)
    events.polled(Polled(Report(read=3, applied=2, rejected=1, cached=2)), 0.12345)
    assert logged == [
        {
            "log_level": "warning",
            "event": "polled",
            "pipeline": "articles",
            "read": 3,
            "applied": 2,
            "stale": 0,
            "rejected": 1,
            "deferred": 0,
            "embedded": 0,
            "cached": 2,
            "seconds": 0.123,
        }
    ]


def test_texts_that_the_model_did_not_read_to_their_end_are_told(events: Events, logged: list[EventDict]) -> None:
    """Of a poll that met some."""
    events.polled(Polled(Report(read=3, applied=3, embedded=3, truncated=2)), 0.1)
    assert logged[0]["truncated"] == 2


def test_a_holder_is_named_once(events: Events, logged: list[EventDict]) -> None:
    """However often the lease is asked for; another holder is news, and so is the same one after a turn of our own."""
    for holder in ("a", "a", "b", "b"):
        events.standing_by(LeaseHeld(f"held by {holder}"))
    events.attached(RECORD)
    events.standing_by(LeaseHeld("held by b"))
    assert [line["reason"] for line in logged if line["event"] == "standing by"] == [
        "held by a",
        "held by b",
        "held by b",
    ]


def test_every_wait_is_told_on_one_line(events: Events, logged: list[EventDict]) -> None:
    """With the reason, what to do, and how long it will be."""
    events.backing_off(SinkUnavailable("no\nanswer", hint="start\nit"), 2, 1.2345)
    (line,) = logged
    assert (line["error"], line["hint"], line["attempt"], line["seconds"]) == ("no answer", "start it", 2, 1.2)


def test_why_documents_are_put_off_is_a_warning(events: Events, logged: list[EventDict]) -> None:
    """With their number."""
    events.put_off(3, "index [a] blocked by:\n[FORBIDDEN/8/index write (api)];")
    (line,) = logged
    assert (line["log_level"], line["event"], line["documents"]) == ("warning", "documents put off", 3)
    assert line["reason"] == "index [a] blocked by: [FORBIDDEN/8/index write (api)];"


def test_a_rebuild_that_nobody_asked_for_says_why(events: Events, logged: list[EventDict]) -> None:
    """With the differences."""
    events.replacing(RECORD, ["mapping: title.type is text, configured keyword"])
    [line] = logged
    assert (line["event"], line["index"]) == ("rebuilding by itself", "articles-1")
    assert line["changes"] == ["mapping: title.type is text, configured keyword"]


def test_a_doubt_about_the_index_is_told(events: Events, logged: list[EventDict]) -> None:
    """Each time it is taken hold of."""
    events.attached(replace(RECORD, verify_needed="restored"))
    assert [(line["event"], line["log_level"]) for line in logged] == [
        ("attached", "info"),
        ("verify needed", "warning"),
    ]


def test_a_comparison_that_would_delete_too_much_is_told(events: Events, logged: list[EventDict]) -> None:
    """With what to do; any other is told too."""
    events.reconciled(Verified(indexed=9, repaired=9))
    events.reconciled(Verified(indexed=9, refused=TooManyDeletions("9 of 9", hint="syncer verify")))
    assert [(line["log_level"], line.get("error"), line.get("hint")) for line in logged] == [
        ("info", None, None),
        ("warning", "9 of 9", "syncer verify"),
    ]


def test_a_load_is_told_now_and_then(events: Events, logged: list[EventDict], clock: MemoryClock) -> None:
    """At its beginning, at its end, and every ten seconds; the speed leaves out what an earlier process did."""
    events.loading(1000, 5000)
    for settled in range(1100, 5001, 100):
        clock.advance(0.5)
        events.loading(settled, 5000)
    events.loaded(RECORD)
    assert [
        (line["rows"], line["rows_per_second"], line["remaining_seconds"])
        for line in logged
        if line["event"] == "loading"
    ] == [(1000, 0, None), (3000, 200, 10), (5000, 200, 0)]
