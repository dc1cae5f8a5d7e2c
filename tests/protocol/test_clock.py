"""A source whose clock is set back while it is followed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.adapters.postgres.waiting import wait_for
from tests.protocol.following import MARGIN, Following
from tests.services.postgres import create_database
from tests.services.shifted_postgres import ShiftedPostgres


@pytest.fixture(name="server", scope="module")
def _server() -> Iterator[ShiftedPostgres]:
    server = ShiftedPostgres()
    try:
        server.start()
        yield server
    finally:
        server.delete()


def test_rows_stamped_while_the_clock_was_back_are_delivered(server: ShiftedPostgres) -> None:
    """† A minute back for a few polls, and then right again: all of them lie below the checkpoint of before."""
    following = Following(create_database(server))
    following.sql("INSERT INTO item VALUES (1, 'before'), (2, 'before')")
    with following.polling() as poll:
        following.poll_past(poll)
        following.poll_past(poll)
        server.shift(-60)
        following.sql("INSERT INTO item VALUES (3, 'during')")
        following.sql("UPDATE item SET title = 'changed', updated_at = now() WHERE id = 1")
        stamped = following.now()
        wait_for(lambda: following.now() > stamped + 2 * MARGIN)
        poll()
        poll()
        server.shift(0)
        following.poll_past(poll)
    assert following.titles() == {"1": "changed", "2": "before", "3": "during"}


def test_rows_stamped_behind_a_clock_that_is_never_seen_to_go_back_are_delivered(server: ShiftedPostgres) -> None:
    """† A second back while the poller rests for longer: it reads a later time at each poll."""
    following = Following(create_database(server))
    with following.polling() as poll:
        following.poll_past(poll)
        before = following.now()
        server.shift(-1)
        following.sql("INSERT INTO item VALUES (1, 'behind')")
        wait_for(lambda: following.now() > before)
        poll()
        server.shift(0)
    assert following.titles() == {"1": "behind"}
