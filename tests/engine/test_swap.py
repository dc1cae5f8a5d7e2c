"""Leases that are asked for, and several who swap at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from syncer.adapters.memory.state import MemoryStateStore
from syncer.core.error import ConfigurationError, LeaseHeld, LeaseLost, SinkUnavailable, StateUnavailable
from syncer.core.index import Phase, Role
from syncer.core.outcome import Deferred
from syncer.engine.insist import Stopped
from syncer.engine.pipeline import Pipeline
from syncer.engine.rebuild import promote, rebuild, rollback
from syncer.engine.retention import discard
from syncer.engine.succession import CATCH_UP_SECONDS
from syncer.engine.swap import CLAIM_SECONDS, handed_over
from syncer.engine.worker import Worker
from tests.builders import World
from tests.engine.intercepted import Call, intercepted
from tests.engine.test_rebuild import a_loaded_world, changed, phases


class FailingStore(MemoryStateStore):
    """Does not answer who takes a claim back."""

    failing = False

    def claim(self, index: str, wanted: bool) -> None:
        super().claim(index, wanted)
        if self.failing and not wanted:
            raise StateUnavailable("away")


def before(name: str, act: Callable[[], object], pipeline: Pipeline) -> Pipeline:
    """Return a pipeline of a process that is overtaken once, just before a port call."""
    waiting = [act]

    def around(call: Call) -> Any:
        if call.name == name and waiting:
            waiting.pop()()
        return call()

    return intercepted(pipeline, around)


def when(name: str, index: str, act: Callable[[], None]) -> Callable[[Call], Any]:
    """Do something just before each such call for this index."""

    def around(call: Call) -> Any:
        if call.name == name and call.arguments[0] == index:
            act()
        return call()

    return around


def waiting(world: World) -> str:
    """Build an index that waits to be promoted; return its name."""
    return rebuild(changed(world).pipeline, world.events, swaps=False).index


def test_a_holder_that_never_lets_go_is_not_waited_for_for_ever() -> None:
    """Whoever asked says so, and claims the lease no longer."""
    world = a_loaded_world()
    name = world.record.name
    held = world.store.acquire(name)
    began = world.clock.monotonic()
    with pytest.raises(LeaseHeld), handed_over(world.pipeline, name):
        pass
    assert CLAIM_SECONDS <= world.clock.monotonic() - began < CLAIM_SECONDS + 2
    assert not world.store.claimed(name)
    held.prove()


def test_a_lease_is_given_back_where_the_claim_cannot_be_taken_back() -> None:
    """Else nobody would follow the index until the process ends."""
    store = FailingStore()
    world = a_loaded_world(store=store)
    world.store = store
    world.worker().run_once()
    store.failing = True
    with pytest.raises(StateUnavailable), handed_over(world.pipeline, world.record.name):
        pass
    store.failing = False
    store.acquire(world.record.name).release()


def test_a_process_that_is_asked_to_stop_waits_for_no_lease() -> None:
    """It takes its claim back."""
    world = a_loaded_world()
    held = world.store.acquire(world.record.name)
    world.clock.stop()
    with pytest.raises(Stopped), handed_over(world.pipeline, world.record.name):
        pass
    assert not world.store.claimed(world.record.name)
    held.release()


@pytest.mark.parametrize("act", [rebuild, promote, rollback])
def test_a_stop_while_a_lease_is_waited_for_ends_the_act_in_order(act: Any) -> None:
    """It is not complete, and the same command goes on with it."""
    world = a_loaded_world()
    index = waiting(world)
    if act is rollback:
        promote(world.pipeline, world.events)
        rebuild(changed(world, "m3").pipeline, world.events)
        changed(world)
    held = world.store.acquire(index)
    world.clock.stop()
    done = act(world.pipeline, world.events)
    assert (done.index, done.complete) == (index, False)
    held.release()


def test_a_stop_while_the_live_lease_is_waited_for_leaves_the_alias_for_later() -> None:
    """Also where a swap is only finished."""
    world = a_loaded_world()
    held = world.store.acquire(world.record.name)
    held.update(phase=Phase.PUBLISHING)
    world.clock.stop()
    for act in (rebuild, promote, rollback):
        done = act(world.pipeline, world.events)
        assert (done.complete, done.phase) == (False, Phase.PUBLISHING)
    held.release()


def test_a_restart_does_not_delete_an_index_that_was_put_in_place_meanwhile() -> None:
    """Between the look at it and its lease, another process promoted it."""
    world = a_loaded_world()
    index = waiting(world)
    overtaken = before("store.acquire", lambda: promote(world.pipeline, world.events), world.pipeline)
    with pytest.raises(LeaseHeld, match="another process has put"):
        rebuild(overtaken, world.events, restart=True)
    assert world.record.name == index
    assert world.indices.aliases == {"items": index}
    assert world.equal()


@pytest.mark.parametrize("act", [rebuild, promote])
def test_of_two_who_put_the_same_index_in_place_the_second_is_told(act: Any) -> None:
    """And it leaves the live index alone."""
    world = a_loaded_world()
    index = waiting(world)
    overtaken = before("store.acquire", lambda: promote(world.pipeline, world.events), world.pipeline)
    with pytest.raises(LeaseHeld, match="another process has put"):
        act(overtaken, world.events)
    assert (world.record.name, world.record.phase) == (index, Phase.LIVE)
    assert Phase.LIVE not in world.events.phases, "it goes through no step again"


def test_of_two_who_roll_back_the_second_is_told() -> None:
    """Else it would compare the live index, and call it kept."""
    world = a_loaded_world()
    old = world.pipeline
    rebuild(changed(world).pipeline, world.events)
    first = before("store.acquire", lambda: rollback(old, world.events), old)
    with pytest.raises(LeaseHeld, match="another process has put"):
        rollback(first, world.events)
    assert world.record.phase is Phase.LIVE
    assert world.record.fingerprint == old.fingerprint


def test_who_is_about_to_swap_does_not_let_another_one_in() -> None:
    """Two who took the lease from each other would come to no end; the second one waits for the first."""
    world = a_loaded_world()
    index = waiting(world)
    polls = len(world.events.polls)
    world.events.on_poll = lambda: world.store.claim(index, True)
    assert promote(world.pipeline, world.events).complete
    assert len(world.events.polls) > polls


def test_a_rollback_that_was_interrupted_is_finished_and_not_undone() -> None:
    """The index that was live is kept then, perhaps of the same configuration: to roll back again would go there."""
    world = a_loaded_world()
    first = world.record.name
    world.clock.advance(1)
    second = rebuild(world.pipeline, world.events).index
    leases = [world.store.acquire(first), world.store.acquire(second)]
    leases[0].succeed(leases[1], world.clock.now())
    for lease in leases:
        lease.release()
    assert world.indices.aliases == {"items": second}
    assert rollback(world.pipeline, world.events).index == first
    assert world.indices.aliases == {"items": first}
    assert phases(world) == {first: (Role.LIVE, Phase.LIVE), second: (Role.KEPT, Phase.KEPT)}


def test_a_daemon_does_not_follow_an_index_that_was_replaced_before_it_had_the_lease() -> None:
    """It would follow the kept one for ever, and nobody the live one."""
    world = a_loaded_world()
    old = world.record.name
    world.clock.advance(1)
    overtaken = before("store.acquire", lambda: rebuild(world.pipeline, world.events), world.pipeline)
    with pytest.raises(LeaseHeld, match="was swapped"):
        Worker(overtaken, world.events).run_once()
    assert world.record.name != old
    world.table.put(("late",), n=1)
    world.worker().run_once()
    assert world.equal()


def test_a_follower_of_a_waiting_index_does_not_follow_the_live_one() -> None:
    """It was promoted before the follower had its lease; the live index is shared out among the daemons."""
    world = a_loaded_world()
    index = waiting(world)
    overtaken = before("store.acquire", lambda: promote(world.pipeline, world.events), world.pipeline)
    follower = Worker(overtaken, world.events, index=index)
    with pytest.raises(LeaseHeld, match="was swapped"), closing(follower.session()) as session:
        next(session)
    world.store.acquire(index).release()
    assert list(follower.session()) == []


def test_a_daemon_that_polls_rarely_hands_its_lease_over_at_once() -> None:
    """However long it waits for its next poll; and a pause is heeded too."""
    world = a_loaded_world()
    world.pipeline = replace(world.pipeline, limits=replace(world.pipeline.limits, interval_seconds=3600.0))
    claims: list[float] = []

    def claim() -> None:
        world.store.claim(world.record.name, True)
        claims.append(world.clock.monotonic())

    with world.following() as poll:
        poll()
        claim()
        with pytest.raises(LeaseHeld, match="swaps"):
            poll()
    assert world.clock.monotonic() - claims[0] <= 2


def test_a_long_poll_ends_early_where_the_lease_is_wanted() -> None:
    """A swap waits for two minutes, and a poll that embeds what it reads may take longer; the rest is not lost."""
    world = a_loaded_world()
    with world.following() as poll:
        poll()
        for i in range(190):
            world.table.put((f"{i}",), n=i)
        world.clock.advance(10)
        world.written.clear()

        def on_write(_write: object) -> None:
            world.store.claim(world.record.name, True)
            world.clock.advance(1)

        world.on_write = on_write
        assert poll().more
        assert 0 < len(world.written) <= 100
        with pytest.raises(LeaseHeld, match="swaps"):
            poll()
    world.on_write = lambda _write: None
    world.store.claim(world.record.name, False)
    world.worker().run_once()
    assert world.equal()


def test_a_swap_does_not_wait_for_the_next_poll_of_a_pipeline_that_polls_rarely() -> None:
    """The catch-ups poll as soon as they are asked to; nobody polls the live index meanwhile."""
    world = a_loaded_world()
    world.pipeline = replace(world.pipeline, limits=replace(world.pipeline.limits, interval_seconds=3600.0))
    waiting(world)
    began = world.clock.monotonic()
    world.table.put(("late",), n=1)
    promote(world.pipeline, world.events)
    assert world.clock.monotonic() - began < 60
    assert world.equal()


def test_a_swap_that_does_not_come_to_its_end_leaves_the_live_index_followed() -> None:
    """Elasticsearch puts off what was written last; nobody polls the live index while the other one catches up."""
    world = a_loaded_world()
    live, index = world.record.name, waiting(world)

    def put_off() -> None:
        if world.store.claimed(live):
            world.table.put(("late",), n=1)
            world.answers[("late",)] = Deferred("busy")

    began = world.clock.monotonic()
    with pytest.raises(SinkUnavailable, match=f"index {index} has not caught up"):
        promote(intercepted(world.pipeline, when("store.acquire", live, put_off)), world.events)
    assert world.clock.monotonic() - began < 2 * CATCH_UP_SECONDS
    assert (world.record.name, world.indices.aliases) == (live, {"items": live})
    world.store.acquire(live).release()
    world.answers.clear()
    assert promote(world.pipeline, world.events).complete
    assert world.equal()


def test_an_index_that_was_hardly_begun_does_not_bar_another_configuration() -> None:
    """It was created, and its process killed before the state said of what."""
    world = a_loaded_world()
    changed(world)
    world.store.register(replace(world.record, name="begun", phase=Phase.NEW, followed=False, fingerprint={}))
    world.indices.create("begun", {"pipeline": "items", "fingerprint": {"mapping": "m2"}})
    rebuilt = rebuild(changed(world, "m3").pipeline, world.events)
    assert rebuilt.phase is Phase.LIVE
    assert world.events.discards == ["begun"]
    assert "begun" not in world.indices.indices


def test_an_alias_that_cannot_be_moved_leaves_the_roles_as_they_are() -> None:
    """Else nobody would follow what searches find."""
    world = a_loaded_world()
    live = world.record
    waiting = rebuild(changed(world).pipeline, world.events, swaps=False)
    world.indices.foreign.add("items")
    with pytest.raises(ConfigurationError):
        promote(world.pipeline, world.events)
    assert (world.record.name, world.record.phase) == (live.name, Phase.LIVE)
    promoted = promote(world.pipeline, world.events, take_over=True)
    assert (promoted.index, world.indices.aliases) == (waiting.index, {"items": waiting.index})


def test_an_index_that_is_searched_is_not_deleted_however_unfinished_the_state_calls_it() -> None:
    """The state may be an older one, from before the swap."""
    world = a_loaded_world()
    waiting = rebuild(changed(world).pipeline, world.events, swaps=False)
    world.indices.aliases["items"] = waiting.index
    with pytest.raises(ConfigurationError, match="searches find it"):
        rebuild(world.pipeline, world.events, restart=True)
    assert waiting.index in world.indices.indices


def test_an_index_that_is_gone_before_it_is_searched_is_replaced() -> None:
    """Killed between the roles and the alias, and then deleted by somebody."""
    world = a_loaded_world()
    waiting = rebuild(changed(world).pipeline, world.events, swaps=False)
    new, old = world.store.acquire(waiting.index), world.store.acquire(world.record.name)
    new.succeed(old, world.clock.now())
    new.release()
    old.release()
    world.indices.indices.pop(waiting.index)
    world.clock.advance(1)
    rebuilt = rebuild(world.pipeline, world.events)
    assert (rebuilt.phase, world.record.name) == (Phase.LIVE, rebuilt.index)
    assert rebuilt.index != waiting.index
    assert world.equal()


def test_an_unfinished_index_is_not_promoted() -> None:
    """It says how to finish it."""
    world = a_loaded_world()
    world.outage = SinkUnavailable("died here")
    with pytest.raises(SinkUnavailable):
        rebuild(changed(world).pipeline, world.events)
    with pytest.raises(ConfigurationError, match="is not finished"):
        promote(world.pipeline, world.events)


def test_who_lost_the_lease_deletes_nothing() -> None:
    """Somebody may have rolled back to it meanwhile."""
    world = a_loaded_world()
    waiting = rebuild(changed(world).pipeline, world.events, swaps=False)
    lease = world.store.acquire(waiting.index)
    record = world.store.named(waiting.index)
    assert record is not None
    world.store.expire(waiting.index)
    with pytest.raises(LeaseLost):
        discard(world.pipeline, lease, record, world.events, "why")
    assert waiting.index in world.indices.indices
