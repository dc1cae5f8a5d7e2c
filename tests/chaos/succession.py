"""Other indices take the place of the one that is searched; who puts them there is killed, and so is Elasticsearch."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from tests.acceptance.installation import Running, eventually
from tests.chaos.change import FIELDS
from tests.chaos.schedule import together
from tests.chaos.searcher import Searcher
from tests.chaos.world import World

#: Of `title`, other than in the beginning.
TYPES = ("keyword", {"type": "text", "analyzer": "english"}, {"type": "text", "keyword": True})
#: How long a command may take, begun again as often as it must be.
PATIENCE_SECONDS = 300.0
#: What a process logs on its way through the phases.
STEPS = ("building", "attached", "swapped")


def rebuilt(world: World) -> None:
    """A rebuild of another mapping, killed and begun again; some wait to be promoted, and some are rolled back."""
    while not world.loaded:
        assert world.nap(0.1, 0.1), "the first load comes to no end"
    with Searcher(world) as searcher:
        together(world, _succeed, partial(_restart, searcher))
    world.note(
        f"{searcher.searches} searches, {searcher.forgiven} while Elasticsearch was away: {dict(searcher.found)}"
    )
    assert not searcher.wrong, "\n".join([*searcher.wrong, world.journal.faults()])
    _assert_in_order(world)


def _succeed(world: World) -> None:
    first = _live(world)
    world.retype(title=world.chance.choice(TYPES))
    if world.chance.random() < 0.3:
        _insist(world, lambda: _is_there(world, "ready"), "rebuild", "--no-swap")
        _insist(world, lambda: _live(world) != first, "promote")
    else:
        _insist(world, lambda: _live(world) != first, "rebuild")
    if world.chance.random() < 0.5:
        # Else it may read its configuration when that is the first one again, and that is none of the new index.
        world.daemons[0].wait_for("the configuration was read again")
        world.retype(title=FIELDS["title"])
        # Once it is followed again, a daemon may finish what was killed, and another rollback would be one of it.
        _insist(world, lambda: _followed(world) == first, "rollback")
        eventually(lambda: _live(world) == first, "the index that was rolled back to live", PATIENCE_SECONDS)


def _insist(world: World, done: Callable[[], bool], verb: str, *options: str) -> None:
    """Run a command until what it is for is done; the first processes are killed on their way."""
    kills = world.chance.randint(0, 3)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline, f"{verb} comes to no end\n{world.journal.faults()}"
        with world.installation.running(verb, world.installation.alias, *options) as running:
            world.note(f"syncer {verb} {running.process.pid} began: {running.log.name}")
            if kills and _meets(world, running):
                kills -= 1
                running.kill()
            code = running.process.wait(PATIENCE_SECONDS)
        phases = [f"{name} {phase}" for name, phase in world.sql("SELECT name, phase FROM syncer.indices ORDER BY 1")]
        world.note(f"syncer {verb} {running.process.pid} ended with {code}: {', '.join(phases)}")
        # Elasticsearch is away at times, and what was killed holds its lease until Postgres notices.
        assert code in {0, 1, 3, 5, -9}, f"{running.log.read_text()[-3000:]}\n{world.journal.faults()}"
        if code == 3:
            world.nap(0.5, 3)


def _meets(world: World, running: Running) -> bool:
    """Wait for a random moment of a process; False where it ends before."""
    steps = world.chance.randint(0, 6)
    while running.process.poll() is None:
        if steps == 6:
            if _is_there(world, "publishing"):
                return True
        elif sum(event.get("event") in STEPS for event in running.events()) >= steps:
            world.nap(0, 1.5)
            return running.process.poll() is None
        time.sleep(0.01)
    return False


def _restart(searcher: Searcher, world: World) -> None:
    """Kill Elasticsearch once; the embedded one, which loses whole indices then, is stopped."""
    how = "kill" if world.elastic.real else "stop"
    world.nap(0, 30)
    with searcher.forgiving():
        world.note(f"elasticsearch: {how}")
        getattr(world.elastic.server, how)()
        world.nap(0, 2)
        world.elastic.server.start()
        client = world.elastic.client.options(request_timeout=70)
        # It answers before its shards are there.
        client.cluster.health(index=world.installation.alias, wait_for_status="yellow", timeout="60s")
        world.note("elasticsearch is back")


def _live(world: World) -> str | None:
    found = world.sql("SELECT name FROM syncer.indices WHERE followed AND phase = 'live'")
    return str(found[0][0]) if found else None


def _followed(world: World) -> str:
    ((name,),) = world.sql("SELECT name FROM syncer.indices WHERE followed")
    return str(name)


def _is_there(world: World, phase: str) -> bool:
    return bool(world.sql(f"SELECT name FROM syncer.indices WHERE phase = '{phase}'"))


def _assert_in_order(world: World) -> None:
    """One index is live, searched and of this configuration, the others are kept, and there are no others."""
    alias, indices = world.installation.alias, world.elastic.client.indices
    listed = {each["index"]: each for each in world.installation.json("indices", alias)["indices"]}
    told = f"{listed}\n{world.journal.faults()}"
    (live,) = (name for name, each in listed.items() if each["role"] == "live")
    assert {each["role"] for name, each in listed.items() if name != live} == {"kept"}, told
    assert listed[live]["searched"], told
    assert listed[live]["fingerprint_matches"], told
    assert set(indices.get(index=f"{alias}-*")) == listed.keys(), told
    behind = indices.get_alias(name=alias).body
    assert {name: each["aliases"][alias].get("is_write_index") for name, each in behind.items()} == {live: True}, told
    for name, each in indices.get_settings(index=f"{alias}-*", flat_settings=True).body.items():
        assert each["settings"]["index.refresh_interval"] == "1s", f"{name}: {told}"
