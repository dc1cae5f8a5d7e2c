"""Rows that go, and some that come back: in the end the index holds what the table does, whatever came first."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import psycopg
import pytest
import yaml

from tests.acceptance.installation import Installation, eventually

FILL = "INSERT INTO public.item (id, title) SELECT i, 'title ' || i FROM generate_series({0} + 1, {0} + 9) i"
LIVE = "SELECT * FROM public.item WHERE deleted_at IS NULL AND title <> 'hidden'"

#: Each on a hundred keys of its own, from {0} on; nine of them have a row.
HISTORIES = {
    "delete": ["DELETE FROM public.item WHERE id BETWEEN {0} AND {0} + 5"],
    "delete then re-insert": [
        "DELETE FROM public.item WHERE id BETWEEN {0} AND {0} + 5",
        "INSERT INTO public.item (id, title) SELECT i, 'again' FROM generate_series({0} + 1, {0} + 5) i",
    ],
    "insert then delete": [
        "INSERT INTO public.item (id, title) SELECT i, 'short' FROM generate_series({0} + 50, {0} + 55) i",
        "DELETE FROM public.item WHERE id BETWEEN {0} + 50 AND {0} + 99",
    ],
    "insert, delete, insert": [
        "INSERT INTO public.item (id, title) VALUES ({0} + 50, 'one')",
        "DELETE FROM public.item WHERE id = {0} + 50",
        "INSERT INTO public.item (id, title) VALUES ({0} + 50, 'two')",
    ],
    "key change": ["UPDATE public.item SET id = id + 50 WHERE id BETWEEN {0} AND {0} + 5"],
    "key change that leaves the watermark": [
        "SET session_replication_role = replica; UPDATE public.item SET id = id + 50 WHERE id BETWEEN {0} AND {0} + 5"
    ],
    "keys that change places": [
        "UPDATE public.item SET id = {0} + 50 WHERE id = {0} + 1",
        "UPDATE public.item SET id = {0} + 1 WHERE id = {0} + 2",
        "UPDATE public.item SET id = {0} + 2 WHERE id = {0} + 50",
    ],
    "soft delete then undelete": [
        "UPDATE public.item SET deleted_at = now() WHERE id BETWEEN {0} AND {0} + 5",
        "UPDATE public.item SET deleted_at = NULL WHERE id BETWEEN {0} AND {0} + 3",
    ],
    "soft delete, then a hard one": [
        "UPDATE public.item SET deleted_at = now() WHERE id BETWEEN {0} AND {0} + 5",
        "DELETE FROM public.item WHERE id BETWEEN {0} AND {0} + 99 AND deleted_at IS NOT NULL",
    ],
    "where that no longer holds, then does": [
        "UPDATE public.item SET title = 'hidden' WHERE id BETWEEN {0} AND {0} + 5",
        "UPDATE public.item SET title = 'shown' WHERE id BETWEEN {0} AND {0} + 3",
    ],
}
BASES = {name: 100 * number for number, name in enumerate(HISTORIES)}


@pytest.fixture
def noting(installation: Installation) -> Installation:
    """Rows for each history and triggers, `soft_delete` and `where`; loaded."""
    installation.configure(
        soft_delete="deleted_at",
        where="title <> 'hidden'",
        poll={"interval": "50ms"},
        index={"replicas": 0},
        limits={"delete_ratio": 0.05},
    )
    installation.succeed("install-triggers", installation.alias)
    for base in BASES.values():
        installation.sql(FILL.format(base))
    installation.succeed("run", "--once")
    installation.assert_equal(LIVE)
    return installation


def equal(installation: Installation) -> Callable[[], bool]:
    return lambda: installation.indexed() == installation.rows(LIVE)


def test_what_went_while_nobody_looked(noting: Installation) -> None:
    """Steps of all histories in any order of theirs; all is read in one poll, changes and tombstones together."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    todo = {name: list(statements) for name, statements in HISTORIES.items()}
    while todo:
        name = chance.choice(list(todo))
        noting.sql(todo[name].pop(0).format(BASES[name]))
        if not todo[name]:
            del todo[name]
    noting.succeed("run", "--once")
    noting.assert_equal(LIVE)


def test_what_goes_while_it_is_followed(noting: Installation) -> None:
    """Step by step, each delivered before the next one; and then each history in one transaction."""
    with noting.running("run") as daemon:
        daemon.wait_for("attached")
        for name, statements in HISTORIES.items():
            for statement in statements:
                noting.sql(statement.format(BASES[name]))
                eventually(equal(noting), f"{name}: {statement}")
        for name, statements in HISTORIES.items():
            base = BASES[name] + 1000
            noting.sql(FILL.format(base))
            eventually(equal(noting), f"the rows of {name}")
            noting.sql(";".join(statements).format(base))
            eventually(equal(noting), f"{name}, at once")
        assert daemon.terminate() == 0


def test_truncate(noting: Installation) -> None:
    """The index is compared with its table, and what is gone goes, however much it is and whatever the limit on it."""
    noting.sql("TRUNCATE public.item")
    noting.succeed("run", "--once")
    assert noting.indexed() == {}
    with noting.running("run") as daemon:
        daemon.wait_for("attached")
        noting.sql(FILL.format(0))
        eventually(equal(noting), "new rows")
        noting.sql("TRUNCATE public.item;" + FILL.format(5))
        eventually(equal(noting), "other rows, truncated and filled in one transaction")
        assert daemon.terminate() == 0


def test_a_delete_that_is_committed_late(noting: Installation) -> None:
    """† After later changes and deletes were read: its tombstone is older than theirs."""
    with noting.running("run") as daemon, psycopg.connect(noting.source_url) as late:
        daemon.wait_for("attached")
        late.execute("DELETE FROM public.item WHERE id = 1")
        noting.sql("DELETE FROM public.item WHERE id = 2")
        eventually(lambda: "2" not in noting.indexed(), "the delete that is committed")
        time.sleep(3)  # longer than the margin, so that a cursor would have passed it
        noting.sql("DELETE FROM public.item WHERE id = 3")
        eventually(lambda: "3" not in noting.indexed(), "a delete beyond the margin")
        assert "1" in noting.indexed()
        late.commit()
        eventually(lambda: "1" not in noting.indexed(), "the late delete")
        assert daemon.terminate() == 0
    noting.assert_equal(LIVE)


def test_deletes_while_the_daemon_is_killed(noting: Installation) -> None:
    """A tombstone is read again until its removal is settled."""
    for round_ in range(4):
        with noting.running("run") as daemon:
            daemon.wait_for("attached")
            noting.sql("DELETE FROM public.item WHERE id IN (%s, %s)", 2 * round_ + 1, 2 * round_ + 2)
            daemon.kill()
    noting.succeed("run", "--once")
    noting.assert_equal(LIVE)


def test_triggers_installed_under_a_running_daemon(noting: Installation) -> None:
    """It finds what went before, and reads what they note from then on, without a restart; and goes on when they are
    removed."""
    noting.succeed("remove-triggers", noting.alias)
    with noting.running("run") as daemon:
        daemon.wait_for("attached")
        noting.sql("DELETE FROM public.item WHERE id = 3")
        noting.succeed("install-triggers", noting.alias)
        eventually(equal(noting), "the row that was deleted before")
        noting.sql("DELETE FROM public.item WHERE id = 1")
        eventually(equal(noting), "the deleted row")
        noting.succeed("remove-triggers", noting.alias)
        noting.sql("UPDATE public.item SET title = 'changed' WHERE id = 2")
        eventually(equal(noting), "the changed row")
        assert daemon.terminate() == 0


def test_a_role_with_select_alone_deletes(noting: Installation) -> None:
    """The script that a DBA has run grants what the feed needs."""
    role = f"reader_{noting.alias[-12:]}"
    noting.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'plain'; GRANT SELECT ON public.item TO {role}")
    try:
        path = noting.directory / "syncer.yaml"
        settings = yaml.safe_load(path.read_text())
        parts = urlsplit(noting.source_url)
        settings["source"]["url"] = parts._replace(netloc=f"{role}:plain@{parts.netloc.rpartition('@')[2]}").geturl()
        settings["state"] = {"url": noting.source_url}
        path.write_text(yaml.safe_dump(settings))
        noting.sql(noting.succeed("install-triggers", noting.alias, "--print"))
        noting.sql("DELETE FROM public.item WHERE id = 1")
        noting.succeed("run", "--once")
        noting.assert_equal(LIVE)
    finally:
        noting.sql(f"DROP OWNED BY {role}; DROP ROLE {role}")
