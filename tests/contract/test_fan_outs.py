"""What a state remembers of fan-outs."""

from __future__ import annotations

from dataclasses import replace

from syncer.core.fan_out import FanOut
from syncer.core.settlement import Settlement
from syncer.ports import Lease
from tests.contract.examples import CHECKPOINT, INDEX, NOON, ODD_KEYS, RECORD
from tests.contract.shared_state import SharedState, Store

BEGUN = FanOut("authors", ("7", "1"), after=("k10",))


def test_a_fan_out_is_there_until_it_is_at_its_end(lease: Lease) -> None:
    """As far as it was committed last."""
    assert lease.fan_out() is None
    lease.commit(Settlement(begun=[BEGUN]))
    assert lease.fan_out() == BEGUN
    further = replace(BEGUN, after=("k20",))
    lease.commit(Settlement(fanned_out={BEGUN: further}))
    assert lease.fan_out() == further
    lease.commit(Settlement(fanned_out={further: None}))
    assert lease.fan_out() is None


def test_a_fan_out_that_begins_again_goes_round_from_where_it_is(lease: Lease) -> None:
    """Also where it had gone round to its beginning already, and where its last portion is in the same settlement."""
    lease.commit(Settlement(begun=[BEGUN]))
    further = replace(BEGUN, after=("k20",))
    lease.commit(Settlement(fanned_out={BEGUN: further}, begun=[BEGUN]))
    again = replace(BEGUN, after=("k20",), again=("k20",))
    assert lease.fan_out() == again == further.begun_again()
    round_ = again.advanced(None)
    assert round_ == replace(BEGUN, after=None, through=("k20",))
    lease.commit(Settlement(fanned_out={again: round_}))
    assert lease.fan_out() == round_
    lease.commit(Settlement(begun=[BEGUN]))
    assert lease.fan_out() == replace(BEGUN, after=None) == round_.begun_again()


def test_fan_outs_take_turns(store: Store, lease: Lease) -> None:
    """The one that has waited longest is next; one that ended in the settlement in which it begins anew is there."""
    other = replace(BEGUN, reached_by=("7", "2"))
    lease.commit(Settlement(begun=[BEGUN]))
    lease.commit(Settlement(begun=[other]))
    assert store.overview(INDEX).fan_outs == 2
    further = replace(BEGUN, after=("k20",))
    lease.commit(Settlement(fanned_out={BEGUN: further}))
    assert lease.fan_out() == other
    lease.commit(Settlement(fanned_out={other: None}, begun=[other]))
    assert lease.fan_out() == further
    lease.commit(Settlement(fanned_out={further: None}))
    assert lease.fan_out() == other


def test_fan_outs_differ_by_way_and_by_each_value(lease: Lease) -> None:
    """Whatever is in them."""
    for key in ODD_KEYS:
        for way in ("authors", "editors"):
            lease.commit(Settlement(begun=[FanOut(way, key, after=key, through=key, again=key)]))
    found = set()
    while (fan_out := lease.fan_out()) is not None:
        found.add(fan_out.place)
        assert fan_out.after == fan_out.through == fan_out.again == fan_out.reached_by
        lease.commit(Settlement(fanned_out={fan_out: None}))
    assert found == {(way, key) for key in ODD_KEYS for way in ("authors", "editors")}


def test_a_fan_out_belongs_to_one_index(state: SharedState, lease: Lease) -> None:
    """It goes with it, and the next holder of the lease finds it."""
    store = state.open()
    lease.commit(Settlement(begun=[BEGUN]))
    lease.release()
    again = store.acquire(INDEX)
    assert again.fan_out() == BEGUN
    again.release()
    store.register(replace(RECORD, name="others-1", pipeline="others"))
    other = store.acquire("others-1")
    assert other.fan_out() is None
    other.release()
    store.forget(INDEX)
    store.register(RECORD)
    anew = store.acquire(INDEX)
    assert anew.fan_out() is None
    anew.release()


def test_the_least_checkpoint_of_tombstones_is_that_of_all_ways_to_their_table(store: Store, lease: Lease) -> None:
    """Their feeds' names begin alike; those of other tables do not count."""
    lease.commit(Settlement({"t of public.author by a.b = c.d": CHECKPOINT, "t of public.authors": CHECKPOINT}))
    assert store.least_checkpoint("t of public.author") == NOON
    assert store.least_checkpoint("t of public.autho") is None
