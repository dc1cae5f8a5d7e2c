"""The state store: records, leases, fencing, settlements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest

from syncer.core.error import ConfigurationError, IndexMissing, LeaseHeld, LeaseLost
from syncer.core.index import IndexIdentity, IndexRecord, Phase
from syncer.core.key import Key
from syncer.core.key_range import KeyRange
from syncer.core.position import BEGINNING, START, Position
from syncer.core.settlement import Checkpoint, DeadLetter, Settlement
from syncer.core.source_state import SourceIdentity
from syncer.core.text_counts import TextCounts
from syncer.ports import Lease
from tests.contract.examples import CHECKPOINT, INDEX, NOON, ODD_KEYS, RECORD, a_letter
from tests.contract.shared_state import SharedState, Store


def test_a_record_comes_back_as_it_was(store: Store) -> None:
    """What an index is, and for which source, is compared with what is found later."""
    record = replace(
        RECORD,
        fingerprint={"mapping": "m", "hydration": "h"},
        identity=IndexIdentity("u-1", {"0": "h-0", "1": "h-1"}),
        source=SourceIdentity("7301", NOON, 3),
        verify_needed="because",
    )
    assert store.index("items") is None
    assert store.register(record) == record
    assert store.index("items") == record
    assert list(store.indices()) == [record]


def test_of_several_that_register_one_wins(state: SharedState) -> None:
    """Daemons that start at once follow one and the same index."""
    stores = [state.open() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        registered = list(
            threads.map(lambda n: stores[n].register(replace(RECORD, name=f"items-{n}")), range(4)),
        )
    assert len({record.name for record in registered}) == 1
    assert stores[0].index("items") == registered[0]


def test_an_index_of_another_pipeline_cannot_be_registered(store: Store) -> None:
    """Two pipelines that write to one index would delete each other's documents."""
    store.register(RECORD)
    with pytest.raises(ConfigurationError, match="another pipeline"):
        store.register(replace(RECORD, pipeline="others"))


def test_epochs_increase(store: Store) -> None:
    """Each holder has a higher epoch than all before it, whoever they were."""
    store.register(RECORD)
    epochs = []
    for _ in range(3):
        lease = store.acquire(INDEX)
        epochs.append(lease.epoch)
        lease.release()
    assert epochs == [1, 2, 3]


def test_a_lease_has_one_holder(state: SharedState, lease: Lease) -> None:
    """A second process is refused, and gets the lease once it is given up; other indices are not concerned."""
    other = state.open()
    other.register(replace(RECORD, name="others-1", pipeline="others"))
    with pytest.raises(LeaseHeld):
        other.acquire(INDEX)
    other.acquire("others-1").release()
    lease.release()
    other.acquire(INDEX).release()


def test_a_feed_that_is_followed_no_more_is_forgotten(lease: Lease) -> None:
    """Its checkpoint goes; the others stay."""
    lease.commit(Settlement({"items": CHECKPOINT, "others": CHECKPOINT}))
    lease.commit(Settlement(ended=["others", "unknown"]))
    assert lease.checkpoints().keys() == {"items"}


def test_an_unknown_index_has_no_lease(store: Store) -> None:
    """It was deleted by somebody else."""
    with pytest.raises(LeaseLost):
        store.acquire("nobody-1")


USES: dict[str, Callable[[Lease], object]] = {
    "draw": lambda lease: lease.draw(),
    "commit": lambda lease: lease.commit(Settlement({"items": CHECKPOINT}, [a_letter(("1",), 1)], reconcile=NOON)),
    "update": lambda lease: lease.update(phase=Phase.LIVE, verify_needed="lost"),
    "checkpoints": lambda lease: lease.checkpoints(),
    "prove": lambda lease: lease.prove(),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
@pytest.mark.parametrize("how", ["expire", "supersede"])
def test_who_lost_the_lease_can_do_nothing(
    state: SharedState, lease: Lease, use: Callable[[Lease], object], how: str
) -> None:
    """Whether its session has ended or another epoch has begun: it draws no number and leaves nothing behind."""
    getattr(state, how)(INDEX)
    with pytest.raises(LeaseLost):
        use(lease)
    with pytest.raises(LeaseLost):
        lease.draw()
    lease.release()
    store = state.open()
    overview = store.overview(INDEX)
    assert (overview.checkpoints, overview.dead_letters) == ({}, 0)
    [record] = store.indices()
    assert (record.phase, record.verify_needed, record.reconcile) == (Phase.NEW, None, None)
    assert store.acquire(INDEX).epoch > lease.epoch


def test_release_is_quiet(state: SharedState, lease: Lease) -> None:
    """It may come twice, and after the session has ended."""
    state.expire(INDEX)
    lease.release()
    lease.release()


def test_a_checkpoint_comes_back_as_it_was(store: Store, lease: Lease) -> None:
    """To the microsecond and the letter; a later one takes its place, and those of other feeds stay."""
    authors = Checkpoint(START, NOON, complete=False, deferred=3, deferred_reason="index [items-1] blocked by: …")
    lease.commit(Settlement({"items": CHECKPOINT, "authors": authors}))
    for watermark in (NOON, BEGINNING, datetime.max.replace(tzinfo=UTC)):
        for key in (None, *ODD_KEYS):
            moved = Checkpoint(Position(watermark, key), NOON + timedelta(microseconds=1), complete=False)
            lease.commit(Settlement({"items": moved}))
            assert lease.checkpoints() == {"items": moved, "authors": authors}
    assert store.overview(INDEX).checkpoints == lease.checkpoints()


def test_an_update_changes_what_it_names(store: Store, lease: Lease) -> None:
    """And nothing else."""
    identity, source = IndexIdentity("u-1", {"0": "h-0"}), SourceIdentity("7301", NOON, 3)
    lease.update(phase=Phase.LOADING, fingerprint={"mapping": "m"}, identity=identity)
    lease.update(source=source, verify_needed="because")
    lease.update()
    known = IndexRecord(INDEX, "items", "items", Phase.LOADING, 1, {"mapping": "m"}, identity, source, "because")
    assert store.index("items") == known


@pytest.mark.parametrize("by", ["lease", "record", "backfill"])
def test_dead_letters_are_kept_until_a_good_write_with_a_higher_number(store: Store, lease: Lease, by: str) -> None:
    """† A replay that was drawn early must not close a letter that was written later."""
    progress = store.backfill(INDEX)
    part = KeyRange(0, None, None, 3)
    progress.plan([part])
    settle: Callable[[Settlement], int] = {
        "lease": lease.commit,
        "record": lambda settlement: store.record(INDEX, settlement),
        "backfill": lambda settlement: progress.advance(part, settlement),
    }[by]
    one, two, three = a_letter(("1",), 10), a_letter(("2",), 10, minute=1), a_letter(("3",), 10, minute=2)
    assert settle(Settlement(dead_letters=[one, two, three])) == 3
    assert settle(Settlement(settled={("1",): 9, ("2",): 10, ("3",): 11, ("4",): 12})) == 2
    assert settle(Settlement()) == 2
    assert list(store.dead_letters(INDEX)) == [one, two]
    assert store.overview(INDEX).dead_letters == 2
    progress.release()


@pytest.mark.parametrize("by", ["lease", "record", "backfill"])
def test_texts_add_up(store: Store, lease: Lease, by: str) -> None:
    """From nothing, in the record of their index alone; whoever settles."""
    progress = store.backfill(INDEX)
    part = KeyRange(0, None, None, 3)
    progress.plan([part])
    settle: Callable[[Settlement], int] = {
        "lease": lease.commit,
        "record": lambda settlement: store.record(INDEX, settlement),
        "backfill": lambda settlement: progress.advance(part, settlement),
    }[by]
    other = store.register(replace(RECORD, name="others-1", pipeline="others"))
    assert other.texts == TextCounts()
    for settlement in (Settlement(texts=TextCounts(5, 3, 1)), Settlement(), Settlement(texts=TextCounts(cached=2))):
        assert settle(settlement) == 0
    texts = {record.name: record.texts for record in store.indices()}
    assert texts == {INDEX: TextCounts(5, 5, 1), other.name: TextCounts()}
    progress.release()


def test_attempts_add_up(store: Store, lease: Lease) -> None:
    """A letter says how often, since when in order, and why at the attempt with the highest number."""
    first, other = a_letter(("1",), 10, reason="first"), a_letter(("2",), 10, minute=1)
    lease.commit(Settlement(dead_letters=[first, other]))
    lease.commit(Settlement(dead_letters=[a_letter(("1",), 30, kind="worse", reason="third", minute=3)]))
    assert lease.commit(Settlement(dead_letters=[a_letter(("1",), 20, reason="second", minute=4)])) == 2
    joined = DeadLetter(("1",), 30, "worse", "third", NOON + timedelta(minutes=4), attempts=3, first_at=NOON)
    assert list(store.dead_letters(INDEX)) == [joined, other]


def test_a_letter_whose_cause_may_pass_is_due_ever_more_rarely(store: Store, lease: Lease) -> None:
    """A minute after the first attempt, and twice as long after each other one, up to an hour."""
    letter = a_letter(("1",), 1, passing=True)
    waits = []
    for attempt in range(1, 40):
        lease.commit(Settlement(dead_letters=[replace(letter, version=attempt)]))
        [stored] = store.dead_letters(INDEX)
        assert (stored.attempts, stored.since) == (attempt, NOON)
        assert stored.retry_at is not None
        assert list(store.passing_letters(INDEX, stored.retry_at - timedelta(microseconds=1), 10)) == []
        assert list(store.passing_letters(INDEX, stored.retry_at, 10)) == [("1",)]
        waits.append((stored.retry_at - stored.at).total_seconds())
    assert waits == [60, 120, 240, 480, 960, 1920, *[3600] * 33]


def test_the_latest_number_says_whether_a_cause_may_pass(store: Store, lease: Lease) -> None:
    """Not the latest to arrive; a cause that does not pass is left to people."""
    later = NOON + timedelta(days=1)
    lease.commit(Settlement(dead_letters=[a_letter(("1",), 20, passing=True)]))
    lease.commit(Settlement(dead_letters=[a_letter(("1",), 10)]))
    assert list(store.passing_letters(INDEX, later, 10)) == [("1",)]
    lease.commit(Settlement(dead_letters=[a_letter(("1",), 30)]))
    assert list(store.passing_letters(INDEX, later, 10)) == []
    lease.commit(Settlement(dead_letters=[a_letter(("1",), 25, passing=True)]))
    assert list(store.passing_letters(INDEX, later, 10)) == []
    lease.commit(Settlement(dead_letters=[a_letter(("1",), 40, minute=9, passing=True)]))
    [letter] = store.dead_letters(INDEX)
    assert letter.retry_at == NOON + timedelta(minutes=9 + 16)


def test_letters_due_are_read_the_one_due_longest_first(store: Store, lease: Lease) -> None:
    """So many of them, of this index alone; a good write closes them like others."""
    store.register(replace(RECORD, name="others-1", pipeline="others"))
    store.record("others-1", Settlement(dead_letters=[a_letter(("9",), 1, passing=True)]))
    letters = [a_letter((str(minute),), 1, minute=-minute, passing=True) for minute in range(4)]
    lease.commit(Settlement(dead_letters=[*letters, a_letter(("8",), 1)]))
    assert list(store.passing_letters(INDEX, NOON + timedelta(minutes=1), 3)) == [("3",), ("2",), ("1",)]
    assert list(store.passing_letters(INDEX, NOON - timedelta(minutes=1), 3)) == [("3",), ("2",)]
    lease.commit(Settlement(settled={("3",): 2}))
    assert list(store.passing_letters(INDEX, NOON, 3)) == [("2",), ("1",)]
    assert list(store.passing_letters("nobody-1", NOON, 3)) == []


def test_one_settlement_may_say_several_things_of_a_key(store: Store, lease: Lease) -> None:
    """A poll delivers a key again that was deferred, or that two feeds named."""
    twice = [a_letter(("1",), 10, reason="first"), a_letter(("1",), 20, reason="second", minute=1)]
    mended, broken = a_letter(("2",), 10), a_letter(("3",), 20)
    settled: dict[Key, int] = {("2",): 20, ("3",): 10}
    assert lease.commit(Settlement(dead_letters=[*twice, mended, broken], settled=settled)) == 2
    assert {(letter.key, letter.version, letter.attempts) for letter in store.dead_letters(INDEX)} == {
        (("1",), 20, 2),
        (("3",), 20, 1),
    }


def test_thousands_of_good_writes_close_the_letters_among_them(store: Store, lease: Lease) -> None:
    """A poll settles up to 20,000 keys at once, and all of them may have been refused before."""
    keys: list[Key] = [(str(number),) for number in range(20_000)]
    assert lease.commit(Settlement(dead_letters=[a_letter(key, 1) for key in keys[:5000]])) == 5000
    assert lease.commit(Settlement(settled=dict.fromkeys(keys[1:], 2))) == 1
    assert [letter.key for letter in store.dead_letters(INDEX)] == [("0",)]


def test_dead_letters_are_read_in_pages(store: Store, lease: Lease) -> None:
    """The one open longest first."""
    letters = [a_letter((str(minute),), 1, minute=minute) for minute in range(7)]
    lease.commit(Settlement(dead_letters=letters))
    pages: list[Sequence[DeadLetter]] = []
    while not pages or pages[-1]:
        pages.append(store.dead_letters(INDEX, 3, after=pages[-1][-1] if pages else None))
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert list(chain(*pages)) == letters


def test_pages_of_letters_that_are_as_old_as_each_other_leave_none_out(store: Store, lease: Lease) -> None:
    """A poll settles all that it was refused at one time; and meanwhile some are refused again, or close."""
    letters = [a_letter((str(number),), 1) for number in range(9)]
    lease.commit(Settlement(dead_letters=letters))
    found: list[DeadLetter] = []
    while page := store.dead_letters(INDEX, 2, after=found[-1] if found else None):
        found += page
        lease.commit(Settlement(dead_letters=[a_letter(page[-1].key, 2, minute=9)], settled={page[0].key: 2}))
    assert sorted(letter.key for letter in found) == [letter.key for letter in letters]


def test_letters_are_chosen_by_kind_and_by_key(store: Store, lease: Lease) -> None:
    """To read them, and to forget them."""
    kinds = ["mapping", "vector", "mapping", "mapping"]
    letters = [a_letter((str(number),), 1, kind=kind, minute=number) for number, kind in enumerate(kinds)]
    lease.commit(Settlement(dead_letters=letters))
    zero, one, two, three = letters
    assert list(store.dead_letters(INDEX, kind="mapping")) == [zero, two, three]
    assert list(store.dead_letters(INDEX, kind="mapping", after=zero, limit=1)) == [two]
    assert list(store.dead_letters(INDEX, keys=[("3",), ("1",), ("9",)])) == [one, three]
    assert list(store.dead_letters(INDEX, kind="vector", keys=[("3",)])) == []
    assert store.discard(INDEX, kind="vector", keys=[("3",)]) == 0
    assert store.discard(INDEX, keys=[("3",), ("9",)]) == 1
    assert list(store.dead_letters(INDEX)) == [zero, one, two]
    assert store.discard(INDEX, kind="mapping") == 2
    assert list(store.dead_letters(INDEX)) == [one]
    assert store.discard(INDEX) == 1
    assert (store.overview(INDEX).dead_letters, store.discard(INDEX), store.discard("nobody-1")) == (0, 0, 0)


def test_the_overview_counts_the_letters_and_those_that_are_delivered_again(store: Store, lease: Lease) -> None:
    """By themselves, that is."""
    lease.commit(Settlement(dead_letters=[a_letter((str(n),), 1, passing=n > 0) for n in range(3)]))
    overview = store.overview(INDEX)
    assert (overview.dead_letters, overview.passing) == (3, 2)


def test_letters_of_an_index_that_was_forgotten_have_no_place(store: Store) -> None:
    """A resync that outlives its index is told so."""
    with pytest.raises(IndexMissing):
        store.record("nobody-1", Settlement(dead_letters=[a_letter(("1",), 1)]))


def test_what_is_forgotten_is_gone(state: SharedState, lease: Lease) -> None:
    """With all that hangs on it, for its holder too; a new one of that name begins with nothing."""
    store = state.open()
    lease.commit(Settlement({"items": CHECKPOINT}, [a_letter(("1",), 1)]))
    store.forget(INDEX)
    store.forget(INDEX)
    with pytest.raises(LeaseLost):
        lease.commit(Settlement({"items": CHECKPOINT}))
    lease.release()
    assert store.index("items") is None
    store.register(RECORD)
    overview = store.overview(INDEX)
    assert (overview.checkpoints, overview.dead_letters) == ({}, 0)


def test_an_index_can_be_marked_by_anybody(store: Store) -> None:
    """That it should be compared with the source; to mark what is not there does nothing."""
    store.register(RECORD)
    for _ in range(2):
        store.mark_verify_needed(INDEX, "a foreign writer")
    store.mark_verify_needed("nobody-1", "a foreign writer")
    assert [record.verify_needed for record in store.indices()] == ["a foreign writer"]


def test_a_truncation_is_kept_until_the_index_was_compared(store: Store, lease: Lease) -> None:
    """The latest of several; a settlement that knows of none takes nothing back."""
    later = NOON + timedelta(minutes=1)
    for reconcile in (NOON, later, NOON, None):
        lease.commit(Settlement({"tombstones": CHECKPOINT}, reconcile=reconcile, truncated=reconcile is not None))
    record = store.index("items")
    assert record is not None
    assert record.reconcile is not None
    assert record.reconcile >= later
    assert record.truncated == record.reconcile
    assert record.verified_at is None
    store.verified(record, NOON)
    record = store.index("items")
    assert record is not None
    assert (record.reconcile, record.truncated, record.verified_at) == (None, None, NOON)


def test_a_truncation_is_told_from_what_else_asks_for_a_comparison(store: Store, lease: Lease) -> None:
    """It lets one that waits delete more, and none that is asked for after it was compared."""
    lease.commit(Settlement(reconcile=NOON))
    [untold] = store.indices()
    assert (untold.reconcile, untold.truncated) == (NOON, None)
    lease.commit(Settlement(reconcile=NOON, truncated=True))
    store.reconciled(untold)
    [truncated] = store.indices()
    assert truncated.truncated is not None
    assert truncated.reconcile == truncated.truncated > NOON
    lease.commit(Settlement(reconcile=NOON))
    [waiting] = store.indices()
    assert waiting.truncated == truncated.truncated
    store.reconciled(truncated)
    [left] = store.indices()
    assert (left.reconcile, left.truncated) == (waiting.reconcile, None)


def test_a_verification_answers_what_asked_for_it_before_it_began(store: Store, lease: Lease) -> None:
    """Not what has asked since; and of two verifications the later one counts."""
    lease.update(verify_needed="restored")
    before = store.index("items")
    assert before is not None
    lease.commit(Settlement(reconcile=NOON))
    store.verified(before, NOON)
    known = store.index("items")
    assert known is not None
    assert (known.verify_needed, known.reconcile, known.verified_at) == (None, NOON, NOON)
    store.mark_verify_needed(INDEX, "a foreign writer")
    lease.commit(Settlement(reconcile=NOON + timedelta(microseconds=1)))
    store.verified(known, NOON - timedelta(days=1))
    asked = replace(known, verify_needed="a foreign writer", reconcile=NOON + timedelta(microseconds=1))
    assert store.index("items") == asked
    store.verified(replace(asked, name="nobody-1"), NOON)


def test_the_least_checkpoint_is_that_of_the_index_furthest_behind(store: Store, lease: Lease) -> None:
    """Of those that know the feed; one that is not settled at all is the furthest."""
    assert store.least_checkpoint("items") is None
    lease.commit(Settlement({"items": CHECKPOINT, "authors": CHECKPOINT}))
    for number, watermark in enumerate((NOON - timedelta(days=1), BEGINNING)):
        name = f"others-{number}"
        store.register(replace(RECORD, name=name, pipeline=name))
        other = store.acquire(name)
        other.commit(Settlement({"items": Checkpoint(Position(watermark), NOON, complete=True)}))
        other.release()
        assert store.least_checkpoint("items") == watermark
    assert store.least_checkpoint("authors") == NOON


def test_a_pause_lasts_until_it_is_ended(state: SharedState) -> None:
    """Whoever asks for it; a second one changes nothing, and other pipelines are not concerned."""
    store, other = state.open(), state.open()
    assert store.paused("items") is None
    assert store.pause("items", NOON) == NOON
    assert other.pause("items", NOON + timedelta(minutes=1)) == NOON
    assert (other.paused("items"), other.paused("others")) == (NOON, None)
    assert other.resume("items")
    assert not store.resume("items")
    assert store.paused("items") is None


def test_the_overview_says_who_holds_the_lease(store: Store, lease: Lease) -> None:
    """Somebody, until it is given up."""
    assert store.overview(INDEX).holder
    lease.release()
    assert store.overview(INDEX).holder is None


def test_a_comparison_after_a_truncate_is_forgotten_unless_it_was_asked_for_again(store: Store, lease: Lease) -> None:
    """The table may have been truncated once more while it was read."""
    lease.commit(Settlement(reconcile=NOON))
    [read] = store.indices()
    lease.commit(Settlement(reconcile=NOON + timedelta(seconds=1)))
    store.reconciled(read)
    [again] = store.indices()
    assert again.reconcile == NOON + timedelta(seconds=1)
    store.reconciled(again)
    [done] = store.indices()
    assert (done.reconcile, done.verified_at) == (None, None)


def test_a_truncate_that_is_read_late_asks_anew_however_early_it_is_stamped(store: Store, lease: Lease) -> None:
    """A comparison that is under way does not answer for it."""
    lease.commit(Settlement(reconcile=NOON))
    [under_way] = store.indices()
    lease.commit(Settlement(reconcile=NOON - timedelta(minutes=1)))
    store.reconciled(under_way)
    [asked] = store.indices()
    assert asked.reconcile is not None
    store.reconciled(asked)
    assert store.indices()[0].reconcile is None
