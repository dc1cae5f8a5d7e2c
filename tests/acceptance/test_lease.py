"""One process follows a pipeline, over any number of them: whoever has it dies or freezes, and another goes on."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest
import yaml

from syncer.engine.share import HANDOVER_SECONDS
from tests.acceptance.installation import Installation, Running, eventually
from tests.acceptance.test_guarantee import LIVE, ROWS, Writer
from tests.services.pooling_proxy import PoolingProxy

#: From the end of the holder to the first poll of the other one.
KILLED_SECONDS = 10.0
FROZEN_SECONDS = 15.0


def attachments(daemon: Running) -> int:
    return sum(event["event"] == "attached" for event in daemon.events())


def await_takeover(daemon: Running, before: int, seconds: float) -> float:
    """Wait until the daemon has the lease once more than before; return how long that took."""
    began = time.monotonic()
    eventually(lambda: attachments(daemon) > before, "the other process has the lease", seconds)
    return time.monotonic() - began


@contextmanager
def frozen(daemon: Running) -> Iterator[None]:
    """SIGSTOP now, and SIGCONT in the end."""
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        daemon.process.send_signal(signal.SIGCONT)


@pytest.fixture(name="two")
def _two(installation: Installation) -> Iterator[tuple[Running, Running]]:
    """The daemon that has the lease, and the one that stands by."""
    installation.sql(ROWS, 1, 500)
    installation.configure(soft_delete="deleted_at", poll={"interval": "50ms", "batch_rows": 20}, index={"replicas": 0})
    with installation.running("run") as first:
        first.wait_for("loaded")
        with installation.running("run") as second:
            second.wait_for("standing by")
            yield first, second


def test_a_standby_goes_on_within_ten_seconds_of_a_kill(
    installation: Installation, two: tuple[Running, Running]
) -> None:
    """The kernel closes the session of who was killed."""
    first, second = two
    first.kill()
    installation.sql("INSERT INTO public.item (id, title) VALUES (1000, 'after')")
    print(f"taken over after {await_takeover(second, 0, KILLED_SECONDS):.1f} s")
    eventually(lambda: "1000" in installation.indexed(), "the row written after the kill", KILLED_SECONDS)
    assert second.terminate() == 0
    installation.assert_equal()


def test_a_holder_that_freezes_is_replaced_and_writes_nothing_when_it_wakes(
    installation: Installation, two: tuple[Running, Running]
) -> None:
    """SIGSTOP at random moments while rows are written, so that bulks are under way; then SIGCONT."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    holder, other = two
    writer = Writer(installation.source_url, 500, seed)
    writer.start()
    for _ in range(3):
        time.sleep(chance.uniform(0, 1))
        before = attachments(other)
        with frozen(holder):
            print(f"taken over after {await_takeover(other, before, FROZEN_SECONDS):.1f} s")
            time.sleep(chance.uniform(0, 3))
            seen = len(holder.events())
        eventually(lambda h=holder, s=seen: "standing by" in events(h, s), "who woke stands by")  # type: ignore[misc]
        assert "polled" not in events(holder, seen), "who woke has settled a poll"
        holder, other = other, holder
    writer.stop()
    assert writer.changes > 100
    for daemon in two:
        assert daemon.terminate() == 0
    installation.succeed("run", "--once")
    installation.assert_equal(LIVE)


def events(daemon: Running, start: int) -> list[str]:
    return [event["event"] for event in daemon.events()[start:]]


def test_a_frozen_backfill_is_replaced(installation: Installation) -> None:
    """By whoever asks for it after eight seconds; when it wakes it says that it lost it."""
    installation.sql(ROWS, 1, 5000)
    installation.succeed("run", "--once")
    installation.configure(poll={"batch_rows": 20}, index={"replicas": 0})
    with installation.running("backfill", installation.alias) as first:
        under_way = "SELECT 1 FROM syncer.backfill_ranges WHERE settled_rows > 0"
        eventually(lambda: installation.sql(under_way), "that the backfill is under way")
        with frozen(first):
            asked = time.monotonic()
            while (second := installation.run("backfill", installation.alias)).returncode == 5:
                assert time.monotonic() - asked < FROZEN_SECONDS
            assert second.returncode == 0, second.stderr
        assert first.process.wait(30) == 5, first.log.read_text()
    installation.assert_equal()


def test_a_lease_through_a_proxy_that_pools_transactions_is_refused(installation: Installation) -> None:
    """† With the setting to change."""
    proxy = PoolingProxy(installation.source_url)
    try:
        path = installation.directory / "syncer.yaml"
        settings = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump({**settings, "state": {"url": proxy.url}}))
        refused = installation.run("run")
        assert refused.returncode == 2, refused.stderr
        assert "state.url leads through a proxy that pools transactions" in refused.stderr
    finally:
        proxy.close()


def follow(installation: Installation, names: list[str]) -> None:
    """Configure a pipeline for each table of these names."""
    for name in names:
        installation.sql(f"CREATE TABLE public.{name} (LIKE public.item INCLUDING ALL)")
        installation.sql(f"INSERT INTO public.{name} (id, title) SELECT i, 'title ' || i FROM generate_series(1, 20) i")
    path = installation.directory / "syncer.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["pipelines"] = {
        name: {"table": f"public.{name}", "index": {"alias": f"{installation.alias}-{name}", "replicas": 0}}
        for name in names
    }
    path.write_text(yaml.safe_dump(settings))


def leases(installation: Installation) -> set[int]:
    """Return the ports of the sessions that have one."""
    sessions = "SELECT client_port FROM pg_stat_activity WHERE application_name LIKE 'syncer lease %%'"
    return {
        port for (port,) in installation.sql(f"{sessions} AND pid IN (SELECT pid FROM pg_locks WHERE objsubid = 1)")
    }


def shares(installation: Installation, daemons: list[Running]) -> list[int]:
    """Return how many leases each of the processes has."""
    held = leases(installation)
    return [
        sum(connection.laddr.port in held for connection in psutil.Process(daemon.process.pid).net_connections())
        for daemon in daemons
    ]


def test_pipelines_are_spread_over_the_processes_that_there_are(installation: Installation) -> None:
    """Two that start together, a third that joins them, and the death of one; and then they stay where they are."""
    follow(installation, ["a", "b", "c", "d"])
    with ExitStack() as stack:
        daemons = [stack.enter_context(installation.running("run")) for _ in range(2)]
        eventually(lambda: shares(installation, daemons) == [2, 2], "two each")
        daemons.append(stack.enter_context(installation.running("run")))
        eventually(lambda: sorted(shares(installation, daemons)) == [1, 1, 2], "one or two each")
        time.sleep(2 * HANDOVER_SECONDS)  # two may have given one each
        settled = leases(installation)
        assert sorted(shares(installation, daemons)) == [1, 1, 2]
        time.sleep(3 * HANDOVER_SECONDS)
        assert leases(installation) == settled, "they move to and fro"
        daemons.pop(0).kill()
        eventually(lambda: shares(installation, daemons) == [2, 2], "all four by the two that are left", KILLED_SECONDS)
        for daemon in daemons:
            assert daemon.terminate() == 0
