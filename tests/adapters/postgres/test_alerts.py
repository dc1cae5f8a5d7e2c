"""Which alerts hold, and which process may tell of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from syncer.adapters.postgres.alerts import PostgresAlerts
from syncer.core.alert import Alert, Condition, Judgement, Settled, Severity, settle
from syncer.core.error import ConfigurationError
from tests.adapters.postgres.waiting import wait_for
from tests.contract.shared_state import PostgresState

RED = Alert("Red", Severity.CRITICAL, "the cluster is red", "look", {"node": "a"})
HOLDS = Judgement([Condition(RED)])

Open = Callable[..., PostgresAlerts]


@pytest.fixture(name="open_alerts")
def _open_alerts(postgres_url: str) -> Iterator[Open]:
    state = PostgresState(postgres_url)
    with ExitStack() as stack:
        stack.callback(state.close)

        def open_alerts(frozen_seconds: float = 60.0) -> PostgresAlerts:
            made = PostgresAlerts(postgres_url, "syncer", frozen_seconds=frozen_seconds)
            stack.callback(made.close)
            return made

        yield open_alerts


def settled(alerts: PostgresAlerts, judgement: Judgement, seconds: float = 0.0) -> Settled | None:
    """Settle as if so many seconds had passed."""
    now = datetime.now(UTC) + timedelta(seconds=seconds)
    return alerts.settle("cluster", lambda kept: settle(kept, judgement, now))


def told(result: Settled | None) -> tuple[int, int]:
    assert result is not None
    return len(result.fired), len(result.resolved)


def test_an_alert_outlives_the_process_that_told_it(open_alerts: Open) -> None:
    """The next one tells neither that it fires nor forgets it, and tells that it resolves."""
    first = open_alerts()
    assert first.hold("cluster")
    assert told(settled(first, HOLDS)) == (1, 0)
    first.close()
    second = open_alerts()
    wait_for(lambda: second.hold("cluster"))
    assert [kept.alert for kept in second.firing(["cluster"])] == [RED]
    assert told(settled(second, HOLDS, 30)) == (0, 0)
    assert told(settled(second, Judgement([]), 60)) == (0, 0)
    assert told(settled(second, Judgement([]), 120)) == (0, 1)
    assert second.firing(["cluster"]) == []


def test_one_process_settles_a_scope(open_alerts: Open) -> None:
    """And another one another scope; what it told is known to all."""
    first, second = open_alerts(), open_alerts()
    assert first.hold("cluster")
    assert first.hold("cluster")
    assert not second.hold("cluster")
    assert settled(second, HOLDS) is None
    assert second.hold("pipeline items")
    assert told(settled(first, HOLDS)) == (1, 0)
    assert [kept.alert for kept in second.firing(["cluster", "pipeline items"])] == [RED]
    assert second.firing(["pipeline items"]) == []


def test_what_does_not_hold_for_long_enough_is_kept_and_not_told(open_alerts: Open) -> None:
    """How long it has held is known after a restart."""
    first = open_alerts()
    assert first.hold("cluster")
    pending = Judgement([Condition(replace(RED, message="bad\0 text \ud800"), 60.0)])
    assert told(settled(first, pending)) == (0, 0)
    assert first.firing(["cluster"]) == []
    first.close()
    assert settled(first, pending) is None
    wait_for(lambda: first.hold("cluster"))
    assert told(settled(first, pending, 61)) == (1, 0)


def test_what_nobody_looked_at_for_long_begins_anew(open_alerts: Open) -> None:
    """That it was so on Friday says nothing of the weekend."""
    first = open_alerts()
    assert first.hold("cluster")
    pending = Judgement([Condition(RED, 60.0)])
    friday = datetime.now(UTC) - timedelta(days=3)
    assert first.settle("cluster", lambda kept: settle(kept, pending, friday)) is not None
    first.close()
    wait_for(lambda: first.hold("cluster"))
    now = datetime.now(UTC)
    assert told(first.settle("cluster", lambda kept: settle(kept, pending, now))) == (0, 0)


def test_a_scope_that_is_left_is_free(open_alerts: Open) -> None:
    """At once, and its session goes on."""
    first, second = open_alerts(), open_alerts()
    assert first.hold("cluster")
    assert first.held("cluster")
    first.leave("cluster")
    assert not first.held("cluster")
    assert settled(first, HOLDS) is None
    assert second.hold("cluster")
    assert not first.hold("cluster")


def test_a_lock_that_is_not_the_session_s_is_told(open_alerts: Open) -> None:
    """As behind a proxy that lends another session for each transaction."""
    alerts = open_alerts()
    assert alerts.hold("cluster")
    with alerts._use() as connection:
        alerts._lock_on("cluster").give_back(connection)
    with pytest.raises(ConfigurationError, match="pools transactions"):
        settled(alerts, HOLDS)


def test_a_process_that_is_frozen_is_replaced(open_alerts: Open) -> None:
    """Its session has been idle for longer than lies between two looks, and is ended."""
    frozen, other = open_alerts(), open_alerts(frozen_seconds=0.0)
    assert frozen.hold("cluster")
    wait_for(lambda: other.hold("cluster"))
    assert told(settled(other, HOLDS)) == (1, 0)


def test_a_missing_schema_is_told(postgres_url: str) -> None:
    """With the command that makes it."""
    alerts = PostgresAlerts(postgres_url, "syncer")
    with pytest.raises(ConfigurationError, match="alerts") as caught:
        alerts.firing(["cluster"])
    alerts.close()
    assert "syncer migrate" in caught.value.hint
