"""What goes wrong, and when: random within its kind; it ends, with all of it mended, when `world.over` is set."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil
import psycopg
from elastic_transport import ApiError, TransportError

from tests.chaos.world import World
from tests.services.bulk_proxy import Mood
from tests.services.proxy import Proxy, Way
from tests.services.shifted_postgres import ShiftedPostgres


def no_fault(world: World) -> None:
    """Writers alone."""
    world.over.wait()


def syncer_killed(world: World) -> None:
    """kill -9, and another one is started."""
    while world.nap(0.2, 2.5):
        world.kill_daemon()
        world.nap(0, 0.5)
        world.start_daemon()


def standby_takes_over(world: World) -> None:
    """kill -9 of one of two daemons, the holder or the other."""
    while world.nap(0.5, 3):
        world.kill_daemon()
        world.nap(0, 2)
        world.start_daemon()


def syncer_frozen(world: World) -> None:
    """SIGSTOP of one of two daemons; at times its sessions end meanwhile, so that it wakes up as a zombie."""
    while world.nap(0.2, 2):
        frozen = world.freeze(world.chance.choice(world.daemons))
        world.nap(0.1, 1)
        if world.chance.random() < 0.7:
            world.end_sessions()
        world.nap(0.5, 6)
        with suppress(psutil.NoSuchProcess):
            frozen.resume()
        world.note(f"syncer {frozen.pid} goes on")


def sessions_ended(world: World) -> None:
    """An administrator ends syncer's sessions."""
    while world.nap(0.1, 2):
        world.end_sessions()


def elasticsearch_killed(world: World) -> None:
    """kill -9 of Elasticsearch; the embedded one, which loses whole indices then, is stopped."""
    how = "kill" if world.elastic.real else "stop"
    while world.nap(0.5, 4):
        getattr(world.elastic.server, how)()
        world.note(f"elasticsearch: {how}")
        world.nap(0, 2)
        world.elastic.server.start()
        world.note("elasticsearch is back")


def postgres_killed(world: World) -> None:
    """kill -9 of Postgres, source and state at once."""
    while world.nap(0.5, 4):
        world.postgres.kill()
        world.note("postgres killed")
        world.nap(0, 1.5)
        world.postgres.start()
        world.note("postgres is back")


def source_network(world: World) -> None:
    """The network between syncer and Postgres."""
    assert world.source_proxy is not None
    _break(world, world.source_proxy)


def elastic_network(world: World) -> None:
    """The network between syncer and Elasticsearch."""
    assert world.elastic_proxy is not None
    _break(world, world.elastic_proxy)


def _break(world: World, proxy: Proxy) -> None:
    chance = world.chance
    try:
        while world.nap(0.1, 1):
            ways = chance.choice([(), (Way.REQUEST,), (Way.ANSWER,)])
            match chance.randrange(5):
                case 0:
                    world.note("connections reset")
                    proxy.reset()
                case 1:
                    seconds = chance.uniform(0.01, 0.5)
                    world.note(f"{ways or 'all'} delayed by {seconds:.2f} s")
                    proxy.delay(seconds, *ways)
                    world.nap(0.2, 2)
                case 2:
                    world.note(f"black hole {ways or 'both'}")
                    proxy.black_hole(*ways)
                    world.nap(0.2, 5)
                    if chance.random() < 0.5:
                        proxy.reset()
                case 3:
                    size = int(10 ** chance.uniform(1, 5))
                    way = chance.choice(list(Way))
                    world.note(f"cut after {size} bytes {way.value}")
                    proxy.truncate(size, way)
                    world.nap(0.2, 1.5)
                case _:
                    world.note("connections refused")
                    proxy.stop()
                    world.nap(0.1, 1.5)
                    proxy.start()
            proxy.restore()
    finally:
        proxy.restore()


def bulk_refused(world: World) -> None:
    """429, 503 and others to a share of requests and items; some were applied, and some answers are lost or late."""
    assert world.bulk_proxy is not None
    chance = world.chance
    asked = (None, None, "0", "1", "Wed, 21 Oct 2037 07:28:00 GMT")
    try:
        while not world.over.is_set():
            statuses = chance.choice([(429,), (503,), (500,), (507,), (429, 503, 500)])
            shares = {name: chance.choice([0.0, 0.0, 0.1, 0.5]) for name in ("item_refused", "item_belied", "refused")}
            shares |= {name: chance.choice([0.0, 0.05, 0.3]) for name in ("unanswered", "late", "silent")}
            mood = Mood(**shares, statuses=statuses, retry_after=asked)
            world.note(str(mood))
            world.bulk_proxy.mood = mood
            world.nap(0.3, 2)
            world.bulk_proxy.mood = Mood()
            world.nap(0, 1)
    finally:
        world.bulk_proxy.calm()


def index_blocked(world: World) -> None:
    """The disk is full: the index may be read, and deleted from, and no more; or it is read-only altogether."""
    indices = world.elastic.client.indices
    while world.nap(0.3, 2):
        if (index := world.index) is None:
            continue
        block = world.chance.choice(["read_only_allow_delete", "write"])
        indices.put_settings(index=index, settings={f"index.blocks.{block}": True})
        world.note(f"{block} on")
        world.nap(0.2, 3)
        indices.put_settings(index=index, settings={f"index.blocks.{block}": None})
        world.note(f"{block} off")


def shards_restarted(world: World) -> None:
    """The index is closed and opened, which makes it forget what was deleted, beside backfills and resyncs."""
    together(world, _close_and_open, _deliver_again)


def _close_and_open(world: World) -> None:
    indices = world.elastic.client.indices
    while world.nap(0.3, 2):
        if (index := world.index) is None:
            continue
        with suppress(ApiError, TransportError):
            indices.close(index=index)
            world.note("index closed")
        world.nap(0, 0.2)
        indices.open(index=index)
        world.note("index open")
        world.nap(0.5, 1)
        world.revive()


def company(world: World) -> None:
    """Backfill, resync and verify --repair beside the daemon and each other."""
    together(world, _deliver_again, _repair)
    assert set(world.codes) <= {0, 1}, world.journal.faults()


def together(world: World, *works: Callable[[World], None]) -> None:
    """Do all of it at once, and wait for the last one."""
    with ThreadPoolExecutor(len(works)) as threads:
        for future in [threads.submit(work, world) for work in works]:
            future.result()


def _deliver_again(world: World) -> None:
    while world.nap(0, 0.5):
        match world.chance.randrange(4):
            case _ if not world.loaded:
                continue
            case 0:
                world.command("backfill")
            case 1:
                world.command("backfill", "--workers", "3", "--restart")
            case 2:
                world.command("resync", "--where", f"id % 3 = {world.chance.randrange(3)}")
            case _:
                world.command("resync", "--ids", ",".join(str(key) for key in range(0, 1500, 7)))


def _repair(world: World) -> None:
    while world.nap(0, 0.5):
        if world.loaded:
            world.command("verify", "--repair")


def clock_steps_back(world: World) -> None:
    """The source's clock steps back, a few times, each time further."""
    postgres = world.postgres
    assert isinstance(postgres, ShiftedPostgres)
    behind = 0
    while world.nap(0.3, 2.5):
        # Rows stamped before a step lie in the future after it, and are due when the clock gets there.
        if behind < 6:
            behind += world.chance.randint(1, 3)
            postgres.shift(-behind)
            world.note(f"clock {behind} s behind")


def rows_refused(world: World) -> None:
    """Many rows that the index cannot take, while the daemon is killed and sessions end."""
    while world.nap(0.5, 2.5):
        if world.chance.random() < 0.5:
            world.kill_daemon()
            world.start_daemon()
        else:
            world.end_sessions()


def paused(world: World) -> None:
    """Pause and resume, with commands beside the pause."""
    while world.nap(0.1, 1):
        world.command("pause")
        if world.loaded and world.chance.random() < 0.5:
            world.command("resync", "--where", "id % 5 = 0")
        world.nap(0, 2)
        world.command("resume")
    assert set(world.codes) <= {0, 1}, world.journal.faults()


def table_truncated(world: World) -> None:
    """TRUNCATE, of which no row is noted: the daemon compares the index with the table."""
    while world.nap(0.5, 3):
        with suppress(psycopg.errors.LockNotAvailable):
            world.sql("SET lock_timeout = 1000; TRUNCATE public.item")
            world.note("truncated")


def mixture(world: World) -> None:
    """Two or three kinds at once."""
    kinds = [syncer_killed, sessions_ended, source_network, elastic_network, bulk_refused, index_blocked]
    together(world, *world.chance.sample([*kinds, _deliver_again], world.chance.randint(2, 3)))
