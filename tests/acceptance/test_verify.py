"""`syncer verify` finds and mends what was planted, is right beside a busy daemon, and deletes nothing in doubt."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from tests.acceptance.installation import Installation, Running, eventually
from tests.acceptance.test_guarantee import LIVE, ROWS, Writer
from tests.conftest import Elastic
from tests.services.proxy import ProxyFactory


@pytest.fixture(name="loaded")
def _loaded(installation: Installation) -> Installation:
    """2,000 rows that are in the index, and old enough that no later process reads them once more."""
    installation.configure(soft_delete="deleted_at", poll={"interval": "100ms"}, index={"replicas": 0})
    installation.sql(ROWS, 1, 2000)
    installation.sql("ALTER TABLE public.item DISABLE TRIGGER touch")
    installation.sql("UPDATE public.item SET updated_at = updated_at - interval '1 hour'")
    installation.sql("ALTER TABLE public.item ENABLE TRIGGER touch")
    installation.succeed("run", "--once")
    return installation


def index_of(installation: Installation) -> str:
    (name,) = installation.client.indices.get_alias(name=installation.alias)
    return str(name)


def verify(installation: Installation, *options: str, exit_code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = installation.json("verify", installation.alias, *options, exit_code=exit_code)
    return found


def plant(installation: Installation) -> dict[str, int]:
    """Let documents be missing, stale and extra, and return what `verify` has to say of them."""
    client, index = installation.client, index_of(installation)
    for id_ in ("1", "2", "3"):
        client.delete(index=index, id=id_)
    source = client.get(index=index, id="10").body["_source"]
    source["_syncer"]["hash"] = 5
    # By a foreign writer whose versions are above all of ours.
    extra = {"title": "x", "_syncer": {"key": "9999", "hash": 5}}
    for id_, document in {"10": source, "9999": extra}.items():
        client.index(index=index, id=id_, document=document, version=2**62, version_type="external")
    client.index(index=index, id="nobody", document={"title": "foreign"})
    client.index(index=index, id="copy", document=client.get(index=index, id="20").body["_source"])
    client.index(index=index, id="30", document={"title": "foreign, in a row's place"})
    return {"missing": 3, "stale": 2, "extra": 3, "duplicate": 0, "unreadable": 0}


def test_what_was_planted_is_found_and_repaired(loaded: Installation) -> None:
    """Missing, stale and extra documents, those that somebody else wrote, and versions above all of ours."""
    assert verify(loaded)["samples"] == {}
    planted = plant(loaded)
    found = verify(loaded, exit_code=1)
    assert {kind: found[kind] for kind in planted} == planted
    assert found["samples"] == {
        "missing": ["1", "2", "3"],
        "stale": ["30", "10"],
        "extra": ["nobody", "copy", "9999"],
    }
    assert (found["source_rows"], found["indexed"], found["repaired"], found["complete"]) == (2000, 2000, 0, True)
    repaired = verify(loaded, "--repair")
    assert (repaired["repaired"], repaired["complete"]) == (8, True)
    loaded.assert_equal()
    assert verify(loaded)["samples"] == {}
    status = loaded.json("status")
    assert not status["pipelines"][0]["verify_needed"]


def test_an_edit_behind_syncers_back_is_found_by_deep_alone(loaded: Installation) -> None:
    """The document says of itself what it said before."""
    loaded.client.update(index=index_of(loaded), id="77", doc={"amount": 12345})
    verify(loaded)
    found = verify(loaded, "--deep", exit_code=1)
    assert (found["stale"], found["samples"]) == (1, {"stale": ["77"]})
    assert verify(loaded, "--deep", "--repair")["repaired"] == 1
    loaded.assert_equal()
    verify(loaded, "--deep")


def test_what_polling_cannot_see_is_found_and_mended(loaded: Installation) -> None:
    """Backdated rows, changes that leave the watermark alone, deletes without triggers; a backfill mends all but the
    last."""
    loaded.sql("ALTER TABLE public.item DISABLE TRIGGER touch")
    loaded.sql("INSERT INTO public.item (id, title, updated_at) VALUES (5000, 'backdated', '2001-01-01')")
    loaded.sql("INSERT INTO public.item (id, title, updated_at) VALUES (5001, 'without', NULL)")
    loaded.sql("UPDATE public.item SET title = 'the stamp is as before' WHERE id = 7")
    loaded.sql("DELETE FROM public.item WHERE id = 8")
    loaded.sql("UPDATE public.item SET updated_at = updated_at - interval '1 day', title = 'back' WHERE id = 9")
    loaded.succeed("run", "--once")
    found = {"missing": ["5000", "5001"], "stale": ["7", "9"], "extra": ["8"]}
    assert verify(loaded, exit_code=1)["samples"] == found
    loaded.succeed("backfill", loaded.alias)
    assert verify(loaded, "--repair")["samples"] == {"extra": ["8"]}
    loaded.assert_equal()


def test_much_is_not_deleted_without_force(loaded: Installation) -> None:
    """Half of the table is gone: what is missing is mended, what would be deleted stays, and the exit code says so."""
    loaded.sql("DELETE FROM public.item WHERE id > 1000")
    loaded.client.delete(index=index_of(loaded), id="1")
    done = loaded.run("verify", loaded.alias, "--repair")
    assert done.returncode == 4
    assert "1000 of 1999 documents" in done.stderr
    assert "--force" in done.stderr
    assert len(loaded.indexed()) == 2000
    assert verify(loaded, "--repair", "--force")["repaired"] == 1000
    loaded.assert_equal()


def test_a_second_document_of_a_key_is_found_under_its_routing(
    installation: Installation, real_elastic: Elastic
) -> None:
    """And removed there, while the row's own stays."""
    installation.configure(index={"replicas": 0, "shards": 5})
    installation.sql(ROWS, 1, 100)
    installation.succeed("run", "--once")
    source = installation.client.get(index=index_of(installation), id="7").body["_source"]
    for routing in "abcdefgh":
        installation.client.index(index=index_of(installation), id="7", document=source, routing=routing)
    installation.client.indices.refresh(index=index_of(installation))
    assert installation.client.count(index=index_of(installation)).body["count"] > 100
    found = verify(installation, exit_code=1)
    assert found["samples"].keys() <= {"duplicate", "missing"}
    assert found["duplicate"] + found["missing"] == 1
    assert verify(installation, "--repair")["repaired"] == 1
    assert len(installation.indexed()) == installation.client.count(index=installation.alias).body["count"] == 100
    installation.assert_equal()


@pytest.mark.parametrize("options", [[], ["--deep"], ["--repair"]], ids=["digests", "deep", "repair"])
def test_no_difference_is_told_beside_a_writer_and_the_daemon(loaded: Installation, options: list[str]) -> None:
    """Rows come, change and go all the time: what is under way settles, and is looked at again."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    with loaded.running("run") as daemon:
        daemon.wait_for("attached")
        writer = Writer(loaded.source_url, 2000, seed)
        writer.start()
        eventually(lambda: writer.changes > 50, "the writer writes")
        try:
            for _ in range(3):
                found = verify(loaded, *options)
                assert {kind: found[kind] for kind in ("missing", "stale", "extra", "duplicate", "unreadable")} == {
                    "missing": 0,
                    "stale": 0,
                    "extra": 0,
                    "duplicate": 0,
                    "unreadable": 0,
                }
        finally:
            writer.stop()
    loaded.succeed("run", "--once")
    loaded.assert_equal(LIVE)


def read_as(loaded: Installation, url: str) -> None:
    """Let syncer read the source by another URL, and keep its state where it is."""
    path = loaded.directory / "syncer.yaml"
    settings = yaml.safe_load(path.read_text())
    settings |= {"source": {"url": url}, "state": {"url": loaded.source_url}}
    path.write_text(yaml.safe_dump(settings))


@pytest.fixture(name="role")
def _role(installation: Installation) -> Iterator[str]:
    """A role that may read the table, and that syncer connects as from now on. For tests that load before."""
    parts = conninfo_to_dict(installation.source_url)
    name = f"plain_{parts['dbname']}"
    installation.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'plain'")
    installation.sql(f"GRANT SELECT ON public.item TO {name}")
    read_as(installation, f"postgresql://{name}:plain@{parts['host']}:{parts.get('port', 5432)}/{parts['dbname']}")
    yield name
    installation.sql(f"DROP OWNED BY {name}")
    installation.sql(f"DROP ROLE {name}")


def nothing_is_deleted(loaded: Installation, exit_codes: set[int]) -> None:
    """Repair with all force, while some documents have no row: it fails, and every document stays."""
    for options in ([], ["--deep"]):
        done = loaded.run("verify", loaded.alias, "--repair", "--force", "--json", *options)
        assert done.returncode in exit_codes, done.stderr
        assert "Traceback" not in done.stderr
        assert not done.stdout or not json.loads(done.stdout)["complete"]
        assert len(loaded.indexed()) == 2000


taken_away = pytest.mark.parametrize(
    "change",
    [
        "REVOKE SELECT ON public.item FROM {role}",
        "ALTER TABLE public.item DROP COLUMN amount",
        "ALTER TABLE public.item RENAME TO other",
        "ALTER TABLE public.item ENABLE ROW LEVEL SECURITY",
    ],
    ids=["select-revoked", "column-dropped", "table-renamed", "row-security"],
)


@taken_away
def test_what_cannot_be_read_is_not_deleted(loaded: Installation, role: str, change: str) -> None:
    """It ends with an error that says so."""
    loaded.sql("DELETE FROM public.item WHERE id <= 20")
    loaded.sql(change.format(role=role))
    nothing_is_deleted(loaded, {2, 4})


@pytest.fixture(name="slow")
def _slow(installation: Installation) -> Installation:
    """500 rows that take Postgres five seconds to read; 20 of them are gone, and their documents are not."""
    installation.configure(where="pg_sleep(0.01) IS NOT NULL", index={"replicas": 0})
    installation.sql(ROWS, 1, 500)
    installation.succeed("run", "--once")
    installation.sql("DELETE FROM public.item WHERE id <= 20")
    return installation


def wait_for_the_scan(installation: Installation, running: Running) -> None:
    """Wait until Postgres reads and sorts all rows."""
    active = (
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'FETCH%%' AND state = 'active' AND pid <> pg_backend_pid()"
    )

    def scans() -> bool:
        assert running.process.poll() is None, running.log.read_text()
        return bool(installation.sql(active))

    eventually(scans, "the scan")


@pytest.mark.parametrize("fault", ["backend-killed", "elasticsearch-away", "sigterm"])
def test_a_scan_that_is_broken_off_deletes_nothing(slow: Installation, fault: str, proxy: ProxyFactory) -> None:
    """In its middle; it ends within seconds, and what it had read is no proof of anything."""
    path = slow.directory / "syncer.yaml"
    settings = yaml.safe_load(path.read_text())
    (url,) = settings["elasticsearch"]["hosts"]
    between = proxy(url)
    path.write_text(
        yaml.safe_dump({**settings, "elasticsearch": {**settings["elasticsearch"], "hosts": [between.url(url)]}})
    )
    with slow.running("verify", slow.alias, "--repair") as running:
        wait_for_the_scan(slow, running)
        match fault:
            case "backend-killed":
                slow.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'FETCH%%'")
            case "elasticsearch-away":
                between.stop()
            case "sigterm":
                running.process.terminate()
        assert running.process.wait(5 if fault == "sigterm" else 60) == (1 if fault == "sigterm" else 3)
    assert len(slow.indexed()) == 500


@taken_away
def test_what_can_no_longer_be_read_in_mid_scan_is_not_deleted(slow: Installation, role: str, change: str) -> None:
    """The scan reads on, for its privileges are checked and its table is locked; what is looked at after it fails."""
    with slow.running("verify", slow.alias, "--repair", "--force") as running:
        wait_for_the_scan(slow, running)
        slow.sql(change.format(role=role))
        assert running.process.wait(60) == 4, running.log.read_text()
    assert "Traceback" not in running.log.read_text()
    assert len(slow.indexed()) == 500
