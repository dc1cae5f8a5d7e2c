"""Alerts told over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest

from syncer.adapters.memory.clock import MemoryClock
from syncer.adapters.webhook import Hook, Webhook
from syncer.core.alert import Alert, Kept, Severity
from tests.services.receiver import Receiver

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
RED = Kept(Alert("Red", Severity.CRITICAL, "the cluster is red", "look", {"node": "a"}), NOON, NOON)
SECONDS = 20


class Failures:
    """What was told of failures."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bool]] = []
        self.given_up = Event()

    def __call__(self, said: str, given_up: bool) -> None:
        self.said.append((said, given_up))
        if given_up:
            self.given_up.set()


@pytest.fixture(name="telling")
def _telling() -> Callable[..., Any]:
    @contextmanager
    def telling(url: str, failed: Failures, clock: MemoryClock | None = None, **headers: str) -> Iterator[Webhook]:
        webhook = Webhook(Hook(url, headers, 5.0), clock or MemoryClock(), failed)
        with webhook.telling():
            yield webhook

    return telling


def test_a_server_that_fails_twice_is_told_all_the_same(telling: Callable[..., Any]) -> None:
    """In the form of Alertmanager, with the headers that were configured."""
    receiver, failed = Receiver(500, 429), Failures()
    with receiver.running() as url, telling(url, failed, Authorization="Bearer abc") as webhook:
        webhook.tell("firing", [RED], "2026-05-04T12:00:00+00:00")
        headers, posted = [receiver.got.get(timeout=SECONDS) for _ in range(3)][-1]
        webhook.tell("resolved", [RED], "2026-05-04T12:05:00+00:00")
        resolved = receiver.got.get(timeout=SECONDS)[1]
    assert failed.said == [("the webhook answered 500", False), ("the webhook answered 429", False)]
    assert headers["Authorization"] == "Bearer abc"
    assert posted["status"] == "firing"
    (alert,) = posted["alerts"]
    assert alert["labels"] == {"alertname": "Red", "severity": "critical", "node": "a"}
    assert alert["annotations"] == {"summary": "the cluster is red", "description": "look"}
    assert (alert["startsAt"], alert["endsAt"]) == (NOON.isoformat(), "0001-01-01T00:00:00Z")
    assert posted["text"] == "firing: Red (critical): the cluster is red → look"
    assert resolved["alerts"][0]["endsAt"] == "2026-05-04T12:05:00+00:00"


@pytest.mark.parametrize("status", [302, 404])
def test_a_request_that_is_refused_is_not_repeated(telling: Callable[..., Any], status: int) -> None:
    """Nor is a redirect followed: the headers are for this server alone."""
    receiver, failed = Receiver(status), Failures()
    with receiver.running() as url, telling(url, failed) as webhook:
        webhook.tell("firing", [RED], "now")
        assert failed.given_up.wait(SECONDS)
        webhook.tell("resolved", [RED], "later")
        got = [receiver.got.get(timeout=SECONDS)[1]["status"] for _ in range(2)]
    assert got == ["firing", "resolved"]
    assert failed.said == [(f"the webhook answered {status}", True)]


def test_a_server_that_is_away_is_given_up_after_some_minutes(telling: Callable[..., Any]) -> None:
    """What is said of it does not name the address, whose path may be the secret."""
    with Receiver().running() as url:
        pass
    clock, failed = MemoryClock(), Failures()
    with telling(url, failed, clock) as webhook:
        webhook.tell("firing", [RED], "now")
        assert failed.given_up.wait(SECONDS)
    assert 100 < clock.monotonic() < 600
    assert [given_up for _, given_up in failed.said[:-1]] == [False] * (len(failed.said) - 1)
    assert not any("secret" in said for said, _ in failed.said)


def test_no_more_wait_than_there_is_room_for() -> None:
    """Whoever tells never waits."""
    failed = Failures()
    webhook = Webhook(Hook("http://127.0.0.1:1/hook"), MemoryClock(), failed)
    for _ in range(101):
        webhook.tell("firing", [RED], "now")
    assert failed.said == [("too many alerts wait to be told", True)]
