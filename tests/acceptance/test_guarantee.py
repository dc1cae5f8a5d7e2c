"""Nothing is lost: the daemon is killed, servers go away, transactions commit late; then every row is compared."""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress

import psycopg
import pytest

from tests.acceptance.installation import Installation, eventually
from tests.conftest import Elastic
from tests.services.postgres import PostgresServer

ROWS = """
INSERT INTO public.item (id, title, amount)
SELECT i, 'title ' || i, round(i / 7.0, 3) FROM generate_series(%s::bigint, %s::bigint) i
"""
LIVE = "SELECT * FROM public.item WHERE deleted_at IS NULL"


class Writer(threading.Thread):
    """Changes random rows until it is told to stop; survives a database that goes away."""

    def __init__(self, url: str, rows: int, seed: int) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._rows = rows
        self._random = random.Random(seed)
        self._done = threading.Event()
        self.changes = 0

    def run(self) -> None:
        while not self._done.is_set():
            with suppress(psycopg.OperationalError), psycopg.connect(self._url) as connection:
                while not self._done.wait(0.01):
                    self._change(connection)
                    connection.commit()
                    self.changes += 1

    def _change(self, connection: psycopg.Connection) -> None:
        row = self._random.randrange(1, self._rows * 2)
        match self._random.randrange(4):
            case 0:
                connection.execute("UPDATE public.item SET deleted_at = now() WHERE id = %s", (row,))
            case 1:
                connection.execute("UPDATE public.item SET deleted_at = NULL WHERE id = %s", (row,))
            case _:
                connection.execute(
                    "INSERT INTO public.item (id, title) VALUES (%s, %s) "
                    "ON CONFLICT (id) DO UPDATE SET title = excluded.title",
                    (row, f"changed {self._random.random()}"),
                )
        if self._random.random() < 0.2:
            time.sleep(self._random.uniform(0, 0.3))

    def stop(self) -> None:
        self._done.set()
        self.join(30)


def test_a_daemon_killed_ten_times_during_load_and_polling_ends_equal_and_resumes_its_load(
    installation: Installation,
) -> None:
    """kill -9 at random moments; the load goes on where it was, and in the end every field of every row is right."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    rows = 12_000
    installation.sql(ROWS, 1, rows)
    installation.configure(soft_delete="deleted_at", poll={"interval": "50ms", "batch_rows": 50}, index={"replicas": 0})
    writer = Writer(installation.source_url, rows, seed)
    writer.start()
    loaded: list[int] = []
    for _ in range(10):
        with installation.running("run") as daemon:
            daemon.wait_for("attached")
            time.sleep(chance.uniform(0.1, 1.2))
            daemon.kill()
        state = installation.sql("SELECT coalesce(sum(settled_rows), -1) FROM syncer.backfill_ranges")
        loaded.append(int(state[0][0]))
    writer.stop()
    assert writer.changes > 50
    installation.succeed("run", "--once")
    installation.assert_equal(LIVE)
    during = [settled for settled in loaded if settled > 0]
    assert during, "no kill fell into the load"
    assert during == sorted(during), "a load that was killed must go on, not start again"


def test_a_row_committed_after_later_rows_were_read_is_indexed(installation: Installation) -> None:
    """† A transaction that began first and commits last."""
    with installation.running("run") as daemon, psycopg.connect(installation.source_url) as late:
        daemon.wait_for("loaded")
        late.execute("INSERT INTO public.item (id, title) VALUES (0, 'late')")
        installation.sql(ROWS, 1, 20)
        time.sleep(3)  # longer than the margin, so that a cursor would have passed it
        installation.sql(ROWS, 21, 40)
        eventually(lambda: len(installation.indexed()) == 40, "the later rows")
        late.commit()
        eventually(lambda: "0" in installation.indexed(), "the late row")
        assert daemon.terminate() == 0
    installation.assert_equal()


def test_thousands_of_rows_of_one_timestamp_are_all_indexed_once(installation: Installation) -> None:
    """† 5,000 rows with one watermark, 1,000 in a batch."""
    installation.succeed("run", "--once")
    installation.sql(ROWS, 1, 5000)
    report = installation.json("run", installation.alias, "--once")
    assert report["applied"] == 5000
    assert installation.json("run", installation.alias, "--once")["applied"] <= 5000
    installation.assert_equal()


def test_of_two_updates_within_a_whole_second_the_last_one_wins(installation: Installation) -> None:
    """† The watermark does not change between them."""
    installation.sql(
        "CREATE OR REPLACE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.updated_at := date_trunc('second', now()); RETURN NEW; END $$"
    )
    installation.sql(ROWS, 1, 5)
    with installation.running("run") as daemon:
        daemon.wait_for("loaded")
        for turn in range(6):
            installation.sql("UPDATE public.item SET title = %s WHERE id = 1", f"turn {turn}")
            eventually(lambda t=turn: installation.indexed()["1"]["title"] == f"turn {t}", f"turn {turn}")  # type: ignore[misc]
    installation.assert_equal()


def test_watermarks_that_polling_cannot_reach_are_reported_and_delivered_by_backfill(
    installation: Installation,
) -> None:
    """† `infinity`, the year 2999 and NULL delay nothing else."""
    installation.sql("ALTER TABLE public.item DISABLE TRIGGER touch")
    installation.succeed("run", "--once")
    installation.sql(
        "INSERT INTO public.item (id, title, updated_at) VALUES "
        "(1, 'never', 'infinity'), (2, 'far', '2999-01-01'), (3, 'unknown', NULL), (4, 'now', now())"
    )
    installation.succeed("run", "--once")
    assert installation.indexed().keys() == {"4"}
    [status] = installation.json("status")["pipelines"]
    assert status["unreachable"] == {"missing": 1, "infinite": 1, "future": 1}
    found = installation.json("check", exit_code=1)
    text = str(found)
    assert "infinit" in text
    assert "NULL" in text
    installation.sql("UPDATE public.item SET updated_at = '2998-01-01' WHERE id = 1")
    installation.succeed("backfill", installation.alias)
    installation.assert_equal()


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_elasticsearch_going_away_during_a_run_is_survived(
    installation: Installation, elastic: Elastic, how: str
) -> None:
    """The process backs off and catches up; it is not restarted."""
    if how == "kill" and not elastic.real:
        pytest.skip("the embedded engine forgets whole indices when it is killed")
    installation.sql(ROWS, 1, 500)
    with installation.running("run") as daemon:
        daemon.wait_for("loaded")
        getattr(elastic.server, how)()
        try:
            installation.sql("UPDATE public.item SET title = 'while away' WHERE id <= 250")
            daemon.wait_for("backing off")
        finally:
            elastic.server.start()
        installation.sql("INSERT INTO public.item (id, title) VALUES (1000, 'after')")
        eventually(lambda: "1000" in installation.indexed(), "the row written after the outage", 90)
        assert daemon.terminate() == 0
    installation.succeed("run", "--once")
    installation.assert_equal()


def test_postgres_restarting_during_a_run_is_survived(
    installation: Installation, postgres_server: PostgresServer
) -> None:
    """Source and state at once: lease and connections are taken anew."""
    installation.sql(ROWS, 1, 500)
    with installation.running("run") as daemon:
        daemon.wait_for("loaded")
        postgres_server.restart()
        daemon.wait_for("backing off")
        installation.sql("INSERT INTO public.item (id, title) VALUES (1000, 'after')")
        eventually(lambda: "1000" in installation.indexed(), "the row written after the restart", 90)
        assert daemon.terminate() == 0
    installation.assert_equal()
    [status] = installation.json("status")["pipelines"]
    assert status["verify_needed"], "asynchronous commits may have been lost by the source"


@pytest.mark.parametrize("bad", ["mapping", "size"])
def test_one_bad_row_among_a_thousand_is_a_dead_letter(installation: Installation, bad: str) -> None:
    """999 are indexed, the checkpoint passes it, status says so, and the exit code is 1."""
    installation.sql("ALTER TABLE public.item ADD COLUMN note text")
    fields = {"id": "long", "title": "text", "updated_at": "date", "note": "integer" if bad == "mapping" else "text"}
    installation.configure(fields=fields, index={"replicas": 0})
    installation.sql("INSERT INTO public.item (id, title, note) SELECT i, 'x', '7' FROM generate_series(1, 1000) i")
    value = "'seven'" if bad == "mapping" else "repeat('x', 110 * 1024 * 1024)"
    installation.sql(f"UPDATE public.item SET note = {value} WHERE id = 500")
    report = installation.json("run", installation.alias, "--once", exit_code=1)
    assert (report["applied"], report["rejected"]) == (999, 1)
    assert len(installation.indexed()) == 999
    [letter] = installation.sql("SELECT key, kind, reason FROM syncer.dead_letters")
    assert letter[0] == ["500"]
    assert letter[2]
    [status] = installation.json("status")["pipelines"]
    assert status["dead_letters"] == 1
    installation.sql("UPDATE public.item SET note = '8' WHERE id = 500")
    installation.succeed("run", "--once")
    assert installation.sql("SELECT count(*) FROM syncer.dead_letters") == [(0,)]


def test_backfill_and_resync_beside_the_daemon_leave_the_index_equal(installation: Installation) -> None:
    """All of them write the same keys, with numbers that put them in order."""
    installation.sql(ROWS, 1, 2000)
    installation.configure(soft_delete="deleted_at", poll={"interval": "50ms"}, index={"replicas": 0})
    writer = Writer(installation.source_url, 2000, 7)
    with installation.running("run") as daemon:
        daemon.wait_for("loaded")
        writer.start()
        for _ in range(2):
            installation.succeed("backfill", installation.alias)
            installation.succeed("resync", installation.alias, "--ids", "1,2,3,999999")
            installation.succeed("resync", installation.alias, "--where", "id % 10 = 0")
            installation.succeed("resync", installation.alias, "--since", "2020-01-01T00:00:00Z")
        writer.stop()
        assert daemon.terminate() == 0
    installation.succeed("run", "--once")
    installation.assert_equal(LIVE)


def test_sigterm_ends_the_daemon_within_five_seconds(installation: Installation) -> None:
    """With exit code 0."""
    installation.sql(ROWS, 1, 20_000)
    installation.configure(poll={"batch_rows": 50}, index={"replicas": 0})
    with installation.running("run") as daemon:
        daemon.wait_for("attached")
        started = time.monotonic()
        assert daemon.terminate() == 0
        assert time.monotonic() - started < 5
