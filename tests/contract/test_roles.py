"""Several indices of a pipeline: one that is followed, one that is built, and those that are kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from syncer.core.error import ConfigurationError, LeaseHeld, LeaseLost
from syncer.core.index import IndexRecord, Phase, Role
from syncer.core.settlement import Settlement
from syncer.ports import Lease, StateStore
from tests.contract.examples import BUILDING, BUILT, CHECKPOINT, INDEX, NOON, RECORD, a_letter
from tests.contract.roles import AFTER, BEFORE, roles
from tests.contract.shared_state import SharedState, Store


def known(store: StateStore, index: str) -> IndexRecord:
    record = store.named(index)
    assert record is not None
    return record


def test_a_pipeline_has_one_record_of_each_role(store: Store) -> None:
    """Who registers a second one is told which is there."""
    assert store.register(RECORD) == RECORD
    assert store.register(BUILDING) == BUILDING
    assert store.register(replace(RECORD, name="items-3")) == RECORD
    assert store.register(replace(BUILDING, name="items-4", phase=Phase.NEW)) == BUILDING
    other = replace(BUILDING, name="others-1", pipeline="others")
    assert store.register(other) == other
    assert store.index("items") == RECORD
    assert store.index("others") is None


def test_a_pipeline_may_build_before_it_follows(store: Store) -> None:
    """The index that is built is not the one that is followed."""
    store.register(BUILDING)
    assert store.index("items") is None
    store.register(RECORD)
    assert store.index("items") == RECORD


@pytest.mark.parametrize("followed", [True, False])
def test_of_several_that_register_one_role_one_wins(state: SharedState, followed: bool) -> None:
    """All of them go on with one and the same index; the other role stays free."""
    stores = [state.open() for _ in range(4)]
    record = replace(RECORD, followed=followed)
    with ThreadPoolExecutor(4) as threads:
        registered = list(threads.map(lambda n: stores[n].register(replace(record, name=f"items-{n}")), range(4)))
    assert len({each.name for each in registered}) == 1
    assert list(stores[0].indices()) == registered[:1]


def test_the_index_of_another_pipeline_is_not_built(store: Store) -> None:
    """Nor does it lose its own record."""
    store.register(BUILDING)
    with pytest.raises(ConfigurationError, match="another pipeline"):
        store.register(replace(BUILDING, pipeline="others"))
    assert list(store.indices()) == [BUILDING]


def test_who_forgets_an_index_frees_its_role(store: Store) -> None:
    """A build that is given up makes room for the next."""
    store.register(RECORD)
    store.register(BUILDING)
    store.forget(BUILT)
    next_one = replace(BUILDING, name="items-3")
    assert store.register(next_one) == next_one


def test_records_are_found_by_name_and_by_pipeline(store: Store) -> None:
    """The oldest first, whatever they are called."""
    other = replace(RECORD, name="aa-others-1", pipeline="others")
    for record in (RECORD, BUILDING, other):
        store.register(record)
    assert list(store.indices("items")) == [RECORD, BUILDING]
    assert list(store.indices()) == [RECORD, BUILDING, other]
    assert list(store.indices("nobody")) == []
    assert store.named(BUILT) == BUILDING
    assert store.named("items") is None


def test_a_definition_comes_back_as_it_was(store: Store, new: Lease) -> None:
    """Whether it came with the record or later; and what is not named stays."""
    definition = {
        "mapping": {"properties": {"Größe": {"type": "float", "boost": 1.5, "null_value": None}}},
        "n": [1, ""],
    }
    record = replace(RECORD, definition=definition, filling=True, kept_since=NOON)
    assert store.register(record) == record
    assert store.index("items") == record
    new.update(definition=definition, filling=True)
    new.update(phase=Phase.LOADED)
    assert known(store, BUILT) == replace(BUILDING, epoch=1, phase=Phase.LOADED, definition=definition, filling=True)
    new.update(definition={}, filling=False)
    assert known(store, BUILT) == replace(BUILDING, epoch=1, phase=Phase.LOADED)


def test_a_succession_changes_both_records(store: Store, lease: Lease, new: Lease) -> None:
    """The new index is followed, the old one is kept since then; nothing else of them changes, and the next build may
    begin."""
    new.succeed(lease, NOON)
    assert store.index("items") == replace(BUILDING, epoch=1, phase=Phase.PUBLISHING, followed=True)
    assert known(store, INDEX) == replace(RECORD, epoch=1, phase=Phase.KEPT, followed=False, kept_since=NOON)
    assert roles(store) == AFTER
    new.prove()
    lease.prove()
    next_one = replace(BUILDING, name="items-3")
    assert store.register(next_one) == next_one


def test_a_kept_index_keeps_what_is_known_of_it(store: Store, lease: Lease, new: Lease) -> None:
    """It is caught up from its own checkpoints, so that nothing that it has yet to read may be pruned."""
    lease.commit(Settlement({"items": CHECKPOINT}, [a_letter(("1",), 1)]))
    new.succeed(lease, NOON)
    assert lease.checkpoints() == {"items": CHECKPOINT}
    assert list(store.dead_letters(INDEX)) == [a_letter(("1",), 1)]
    assert store.least_checkpoint("items") == CHECKPOINT.position.watermark
    assert lease.commit(Settlement(settled={("1",): 2})) == 0


def test_a_succession_is_undone_by_another(store: Store, lease: Lease, new: Lease) -> None:
    """The index that was kept is followed again, and no longer kept; several may be kept."""
    new.succeed(lease, NOON)
    store.register(replace(BUILDING, name="items-3"))
    third = store.acquire("items-3")
    third.succeed(new, NOON + timedelta(hours=1))
    lease.succeed(third, NOON + timedelta(hours=2))
    assert store.index("items") == replace(RECORD, epoch=1, phase=Phase.PUBLISHING)
    assert [(record.name, record.kept_since) for record in store.indices("items") if record.role is Role.KEPT] == [
        (BUILT, NOON + timedelta(hours=1)),
        ("items-3", NOON + timedelta(hours=2)),
    ]
    third.release()


def test_where_none_is_followed_there_is_nothing_to_keep(store: Store, new: Lease) -> None:
    """The first index of a pipeline may be one that was built; those of other pipelines are not concerned."""
    store.register(replace(RECORD, name="others-1", pipeline="others"))
    new.succeed(None, NOON)
    assert store.index("items") == replace(BUILDING, epoch=1, phase=Phase.PUBLISHING, followed=True)


@pytest.mark.parametrize("with_old", [True, False])
def test_another_index_that_is_followed_is_in_the_way(store: Store, lease: Lease, new: Lease, with_old: bool) -> None:
    """Somebody else was faster; the error names the index, and nothing changes."""
    store.register(RECORD)
    new.succeed(lease, NOON)
    store.register(replace(BUILDING, name="items-3"))
    third = store.acquire("items-3")
    with pytest.raises(LeaseHeld, match=BUILT):
        third.succeed(lease if with_old else None, NOON + timedelta(hours=1))
    assert roles(store) == AFTER | {"items-3": (Role.BUILDING, Phase.READY)}
    assert known(store, INDEX).kept_since == NOON
    third.prove()
    third.release()


@pytest.mark.parametrize("which", [INDEX, BUILT])
def test_who_lost_either_lease_changes_neither_record(
    state: SharedState, store: Store, lease: Lease, new: Lease, which: str
) -> None:
    """Somebody else may follow the old index, or build the new one."""
    state.supersede(which)
    with pytest.raises(LeaseLost, match=which):
        new.succeed(lease, NOON)
    assert roles(store) == BEFORE


def test_an_index_without_state_succeeds_nobody(store: Store, lease: Lease, new: Lease) -> None:
    """The build was given up by somebody else."""
    store.forget(BUILT)
    with pytest.raises(LeaseLost, match=BUILT):
        new.succeed(lease, NOON)
    assert roles(store) == {INDEX: BEFORE[INDEX]}


def test_successions_in_both_directions_do_not_block_each_other(store: Store, lease: Lease, new: Lease) -> None:
    """However they meet, one comes after the other."""

    def succeed(pair: tuple[Lease, Lease]) -> None:
        for _ in range(30):
            pair[0].succeed(pair[1], NOON)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(succeed, [(lease, new), (new, lease)]))
    assert sorted(role for role, _ in roles(store).values()) == [Role.KEPT, Role.LIVE]
