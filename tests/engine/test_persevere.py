"""Rebuilding, promoting and rolling back through errors that pass by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from syncer.core.error import LeaseHeld, SinkUnavailable, SyncerError
from syncer.core.index import Phase, Role
from syncer.core.run import RunJob
from syncer.core.settlement import Settlement
from syncer.engine.events import Events
from syncer.engine.persevere import ATTEMPTS_MAX, HELD_MAX, persevere
from syncer.engine.pipeline import Ended, OnChange, Pipeline
from syncer.engine.rebuild import Rebuilt, promote, rebuild, rollback
from syncer.engine.worker import Worker
from syncer.ports import Lease
from tests.builders import World
from tests.engine.intercepted import HANDS_OUT, Call, intercepted
from tests.engine.test_rebuild import a_loaded_world, changed, phases
from tests.engine.trouble import trouble

AWAY = SinkUnavailable("away")


def rebuilding(pipeline: Pipeline, events: Events, *, restart: bool = False) -> Rebuilt:
    return persevere(pipeline, events, lambda begun: rebuild(pipeline, events, restart=restart and not begun))


def failing(at: int, pipeline: Pipeline, calls: list[str]) -> Pipeline:
    """Return a pipeline of which one port call has its effect, and then fails."""

    def around(call: Call) -> Any:
        calls.append(call.name)
        answer = call()
        if len(calls) - 1 != at or call.name == "lease.release":
            return answer
        if call.name in HANDS_OUT:
            answer.release()
        raise trouble(call.name)

    return intercepted(pipeline, around)


def prepared(act: str) -> tuple[World, Callable[[Pipeline, Events], Rebuilt]]:
    """Return a small world in which something can be done, and what that is."""
    world = a_loaded_world(3)
    if act == "rollback":
        world.clock.advance(1)
        # Of the same configuration: a second rollback would find an index to go to.
        rebuild(world.pipeline, world.events)
        return world, rollback
    changed(world)
    if act == "rebuild":
        return world, rebuild
    rebuild(world.pipeline, world.events, swaps=False)
    return world, promote


def unfinished(world: World) -> str:
    """Have a rebuild of the changed configuration interrupted; return its index."""
    world.outage = AWAY
    with pytest.raises(SinkUnavailable):
        rebuild(changed(world).pipeline, world.events)
    world.outage = None
    return next(name for name, (role, _) in phases(world).items() if role is Role.BUILDING)


@pytest.mark.parametrize("act", ["rebuild", "promote", "rollback"])
def test_whatever_call_fails_it_is_done_once(act: str) -> None:
    """Also where the call had its effect: nothing is built twice, and no rollback is undone."""

    def play(at: int, calls: list[str]) -> tuple[object, ...]:
        world, do = prepared(act)
        before = world.record.name
        pipeline = failing(at, world.pipeline, calls)
        rebuilt = persevere(pipeline, world.events, lambda _begun: do(pipeline, world.events))
        assert (rebuilt.index, rebuilt.phase, rebuilt.old) == (world.record.name, Phase.LIVE, before)
        assert world.indices.aliases == {"items": rebuilt.index}
        return sorted(phases(world).values()), len(world.events.trouble), world.equal()

    calls: list[str] = []
    roles, trouble, equal = play(-1, calls)
    assert (trouble, equal) == (0, True)
    # The first call is a look whose failure is told at once.
    for at, name in list(enumerate(calls))[1:]:
        assert play(at, [])[::2] == (roles, True), f"{at} {name}"


def test_an_outage_is_waited_out_in_the_phase_where_it_was() -> None:
    """And told, each time; the index that was begun is gone on with, though a restart was asked for."""
    world = changed(a_loaded_world())
    world.outage = AWAY
    errors: list[SyncerError] = []

    def backing_off(error: SyncerError, attempt: int, seconds: float) -> None:
        errors.append(error)
        assert len([role for role, _ in phases(world).values() if role is Role.BUILDING]) == 1
        if attempt == 5:
            world.outage = None

    world.events.backing_off = backing_off  # type: ignore[method-assign]
    rebuilt = rebuilding(world.pipeline, world.events, restart=True)
    assert errors == [AWAY] * 5
    assert (rebuilt.phase, world.events.discards) == (Phase.LIVE, [])
    assert world.equal()


def test_a_restart_that_fails_before_it_has_begun_is_a_restart_still() -> None:
    """The unfinished index from before is deleted."""
    world = a_loaded_world()
    index = unfinished(world)
    world.clock.advance(1)
    failed: list[str] = []

    def around(call: Call) -> Any:
        if call.name == "indices.prove_alias" and not failed:
            failed.append(call.name)
            raise AWAY
        return call()

    rebuilding(intercepted(world.pipeline, around), world.events, restart=True)
    assert world.events.discards == [index]
    assert world.record.name != index


def test_an_outage_that_does_not_end_ends_it() -> None:
    """After some minutes, with the error, and what to do."""
    world = changed(a_loaded_world())
    world.outage = SinkUnavailable("away", hint="look at it")
    began = world.clock.monotonic()
    with pytest.raises(SinkUnavailable) as error:
        rebuilding(world.pipeline, world.events)
    assert error.value.hint == "look at it; the same command goes on where it was"
    assert len(world.events.trouble) == ATTEMPTS_MAX - 1
    assert 300 <= world.clock.monotonic() - began <= 900


def test_errors_that_are_far_apart_do_not_add_up() -> None:
    """A load takes hours, and each of its attempts gets further."""
    world = a_loaded_world()
    index = unfinished(world)
    turns = iter(range(10_000))

    def act(_begun: bool) -> Rebuilt:
        if next(turns) < 2 * ATTEMPTS_MAX:
            progress = world.store.backfill(index)
            (part, *_) = progress.ranges()
            progress.advance(replace(part, settled_rows=part.settled_rows + 1), Settlement({}))
            progress.release()
            raise AWAY
        return rebuild(world.pipeline, world.events)

    assert persevere(world.pipeline, world.events, act).phase is Phase.LIVE


def test_time_alone_is_no_progress() -> None:
    """Attempts that take long and get nowhere end as well."""
    world = a_loaded_world()
    unfinished(world)

    def act(_begun: bool) -> Rebuilt:
        world.clock.advance(3600)
        raise AWAY

    with pytest.raises(SinkUnavailable):
        persevere(world.pipeline, world.events, act)
    assert len(world.events.trouble) == ATTEMPTS_MAX - 1


def test_it_does_not_wait_when_told_to_stop() -> None:
    """The error says what it was held up by."""
    world = changed(a_loaded_world())
    world.outage = AWAY
    world.events.backing_off = lambda *_: world.clock.stop()  # type: ignore[method-assign]
    with pytest.raises(SinkUnavailable):
        rebuilding(world.pipeline, world.events)


def test_who_finds_another_process_at_work_is_told_at_once() -> None:
    """It may take hours."""
    world = a_loaded_world()
    world.store.acquire(unfinished(world))
    with pytest.raises(LeaseHeld):
        rebuilding(world.pipeline, world.events)
    assert world.events.trouble == []


@pytest.mark.parametrize(("looks", "ends_well"), [(HELD_MAX, True), (HELD_MAX + 1, False)])
def test_a_lease_that_a_broken_connection_has_left_behind_is_waited_for(looks: int, ends_well: bool) -> None:
    """The server notices after some seconds; what is held for longer, another process holds."""
    world = a_loaded_world()
    index = unfinished(world)
    world.outage = AWAY
    held: list[Lease] = []

    def backing_off(error: SyncerError, attempt: int, seconds: float) -> None:
        if attempt == 1:
            world.outage = None
            held.append(world.store.acquire(index))
        if attempt == looks + 1:
            held.pop().release()

    world.events.backing_off = backing_off  # type: ignore[method-assign]
    if ends_well:
        assert rebuilding(world.pipeline, world.events).index == index
    else:
        with pytest.raises(LeaseHeld):
            rebuilding(world.pipeline, world.events)


def test_a_daemon_that_rebuilds_by_itself_says_why_and_does_so_through_an_outage() -> None:
    """Once, with the differences; the run is kept."""
    world = changed(a_loaded_world())
    world.outage = AWAY

    def backing_off(error: SyncerError, attempt: int, seconds: float) -> None:
        if attempt == 5:
            world.outage = None

    world.events.backing_off = backing_off  # type: ignore[method-assign]
    kept: list[tuple[RunJob, bool, dict[str, Any]]] = []

    @contextmanager
    def recorded(job: RunJob) -> Iterator[Ended]:
        yield lambda complete, _report, detail: kept.append((job, complete, dict(detail)))

    old = world.record.name
    pipeline = replace(world.pipeline, on_change=OnChange.REBUILD, recorded=recorded)
    with closing(Worker(pipeline, world.events).session()) as session:
        next(session)
    assert world.equal()
    detail = {"index": world.record.name, "replaced": old, "changes": ["mapping changed"]}
    assert kept == [(RunJob.REBUILD, True, detail)]
    assert world.events.replacements == [["mapping changed"]]
