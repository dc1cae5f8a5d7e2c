"""How far a poll reads back, and how far its checkpoint follows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from syncer.core.horizon import Horizon
from syncer.core.position import BEGINNING, START, Position

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def test_a_quiet_source_moves_the_checkpoint_to_the_clock() -> None:
    """With nothing open, the checkpoint is the clock less the margin."""
    scan = Horizon.at(Position(at(0))).begin(at(10), {})
    assert scan.start == Position(at(0))
    assert scan.checkpoint() == Position(at(10))


def test_an_open_transaction_holds_the_checkpoint_but_not_the_reading() -> None:
    """A transaction seen first at a poll may have stamped rows since the poll before."""
    horizon = Horizon.at(Position(at(0))).begin(at(10), {}).settled()
    scan = horizon.begin(at(20), {"v": None})
    assert scan.checkpoint() == Position(at(10))
    later = scan.settled().begin(at(30), {"v": None})
    assert later.start == Position(at(20))
    assert later.checkpoint() == Position(at(10))


def test_a_transaction_that_ended_is_read_for_once_from_its_low() -> None:
    """Its rows lie anywhere above its low, below what was read already."""
    horizon = Horizon.at(Position(at(0))).begin(at(10), {}).settled()
    horizon = horizon.begin(at(20), {"v": None}).settled()
    rescan = horizon.begin(at(30), {})
    assert rescan.start == Position(at(10))
    assert rescan.settled().begin(at(40), {}).start == Position(at(30))


def test_a_visible_start_that_is_older_than_the_listing_suggests_is_believed() -> None:
    """† The second transaction of one message is dated when the message came, while the first was still open."""
    horizon = Horizon.at(Position(at(0))).begin(at(10), {"first": None}).settled()
    horizon = horizon.begin(at(20), {"first": None}).settled()
    scan = horizon.begin(at(30), {"second": at(6)}, margin=timedelta(seconds=2))
    assert scan.checkpoint() == Position(at(4))


def test_a_transaction_first_seen_prepared_is_as_old_as_any_that_ended_since() -> None:
    """† It may have shared a message with one of them; nobody can see when a prepared transaction began."""
    horizon = Horizon.at(Position(at(0))).begin(at(10), {}).settled()
    horizon = horizon.begin(at(20), {"first": None}).settled()
    scan = horizon.begin(at(30), {"second": None, "third": None}, prepared={"second"})
    assert scan.low == {"second": at(10), "third": at(20)}
    assert scan.checkpoint() == Position(at(10))


def test_prepared_transactions_that_follow_each_other_do_not_hold_the_checkpoint_for_ever() -> None:
    """What one of them was given for want of knowledge is not handed on to the next."""
    horizon = Horizon.at(Position(at(0))).begin(at(10), {"long": None}).settled()
    horizon = horizon.begin(at(20), {"p1": None}, prepared={"p1"}).settled()
    assert horizon.low == {"p1": at(0)}
    scan = horizon.begin(at(30), {"p2": None}, prepared={"p2"})
    assert scan.start == Position(at(0))
    assert scan.checkpoint() == Position(at(20))


def test_a_poll_that_ends_early_resumes_where_it_stopped_although_something_is_always_open() -> None:
    """† What opened after the last listing stamps nothing below that listing's clock, however far back reading is."""
    horizon = Horizon.at(START).begin(at(100), {"a": None}).settled(Position(at(1), ("7",)))
    scan = horizon.begin(at(101), {"b": None})
    assert scan.start == START, "a ended: one rescan from the start"
    horizon = scan.settled(Position(at(2), ("9",)))
    scan = horizon.begin(at(102), {"c": None})
    assert scan.start == Position(at(2), ("9",)), (
        "b ended, and could stamp nothing below the clock of the first listing"
    )
    assert scan.checkpoint(Position(at(3), ("4",))) == Position(at(3), ("4",))


def test_a_key_in_the_checkpoint_is_kept_only_while_nothing_can_join_its_watermark() -> None:
    """Rows of the same watermark with lower keys may still appear where a transaction is open from then."""
    scan = Horizon.at(Position(at(5))).begin(at(100), {"v": None})
    assert scan.checkpoint(Position(at(5), ("8",))) == Position(at(5))


def test_a_clock_that_stepped_back_lowers_what_is_known_by_the_slip() -> None:
    """† A step is visible only as the source's clock having advanced less than ours; t itself may already be ahead."""
    horizon = Horizon.at(Position(at(0))).begin(at(10), {"v": None}).settled()
    scan = horizon.begin(at(12), {"v": None}, slip=timedelta(seconds=5))
    assert scan.start == Position(at(5))
    assert scan.checkpoint() == Position(at(0))


def test_a_clock_behind_the_last_poll_takes_the_checkpoint_down_with_it() -> None:
    """† The checkpoint is the horizon, also where that is lower than before."""
    horizon = Horizon.at(Position(at(100))).begin(at(110), {}).settled()
    scan = horizon.begin(at(50), {}, slip=timedelta(seconds=61))
    assert scan.start == Position(at(49))
    assert scan.checkpoint() == Position(at(50))
    assert scan.settled().begin(at(60), {}).start == Position(at(50))


def test_a_backlog_far_below_the_clock_is_not_disturbed_by_a_drifting_clock() -> None:
    """What was stamped long before the last poll keeps its bound: the key of a long watermark survives the slip."""
    horizon = Horizon.at(START).begin(at(1000), {}).settled(Position(at(1), ("5",)))
    scan = horizon.begin(at(1001), {}, slip=timedelta(milliseconds=3))
    assert scan.start == Position(at(1), ("5",))


def test_lowering_never_passes_the_beginning_of_time() -> None:
    """Python's calendar ends at year 1."""
    scan = Horizon.at(START).begin(at(0), {"v": BEGINNING}, margin=timedelta(days=1), slip=timedelta(days=1))
    assert scan.start == START
    assert scan.checkpoint() == START
