"""Who waits, as others see it."""

from __future__ import annotations

import threading

import pytest

from syncer.adapters.postgres.session import STATE_SETTINGS, Session
from syncer.adapters.postgres.waiting_list import WaitingList
from syncer.core.error import StateUnavailable

FRESH_SECONDS = 0.5


@pytest.mark.parametrize("waiting", [WaitingList.of("syncer", "items"), WaitingList.for_swap("syncer", "items-1")])
def test_who_is_frozen_does_not_count(postgres_url: str, waiting: WaitingList) -> None:
    """It repeats every two seconds that it waits, as long as it lives."""
    sessions = [
        Session(postgres_url, setting="state.url", settings=STATE_SETTINGS, unavailable=StateUnavailable)
        for _ in range(2)
    ]
    try:
        with sessions[0].use() as one, sessions[1].use() as other:
            waiting.enter(one, 1)
            assert waiting.fewest(other, FRESH_SECONDS) == 1
            threading.Event().wait(2 * FRESH_SECONDS)
            assert waiting.fewest(other, FRESH_SECONDS) is None
            waiting.enter(one, 1)
            assert waiting.fewest(other, FRESH_SECONDS) == 1
    finally:
        for session in sessions:
            session.close()
