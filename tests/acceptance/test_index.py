"""What others do to the index behind syncer's back, and what somebody does to a row's stamp."""

from __future__ import annotations

from tests.acceptance.installation import Installation, eventually
from tests.conftest import Elastic
from tests.services.search import lose_data

#: Far above any clock in µs.
FOREIGN = 10**18


def test_a_version_that_somebody_else_wrote_is_overcome_and_marks_verify_needed(installation: Installation) -> None:
    """† The next change of the row wins over it; what else the writer did only verify can tell."""
    installation.sql("INSERT INTO public.item (id, title) VALUES (1, 'one'), (2, 'two')")
    installation.succeed("run", "--once")
    installation.client.index(
        index=installation.alias, id="1", document={"title": "foreign"}, version=FOREIGN, version_type="external_gte"
    )
    installation.sql("UPDATE public.item SET title = 'one more' WHERE id = 1")
    installation.succeed("run", "--once")
    installation.assert_equal()
    [status] = installation.json("status")["pipelines"]
    assert status["verify_needed"]


def test_a_row_whose_stamp_went_back_is_not_numbered_by_it(installation: Installation) -> None:
    """† Polling does not see it; a resync does, and its number is above that of the newer stamp."""
    installation.sql("ALTER TABLE public.item DISABLE TRIGGER touch")
    installation.sql("INSERT INTO public.item (id, title) VALUES (1, 'one')")
    installation.succeed("run", "--once")
    installation.sql("UPDATE public.item SET title = 'backdated', updated_at = '2001-01-01' WHERE id = 1")
    assert installation.json("resync", installation.alias, "--ids", "1")["applied"] == 1
    installation.assert_equal()


def test_an_index_that_is_deleted_under_the_daemon_stops_it_and_is_not_created_again(
    installation: Installation,
) -> None:
    """† A bulk to a missing index would make one without mapping, and the checkpoint would be believed."""
    installation.sql("INSERT INTO public.item (id, title) VALUES (1, 'one')")
    with installation.running("run") as daemon:
        daemon.wait_for("loaded")
        [status] = installation.json("status")["pipelines"]
        installation.client.indices.delete(index=status["index"])
        installation.sql("INSERT INTO public.item (id, title) VALUES (2, 'two')")
        eventually(lambda: daemon.process.poll() is not None, "the end of the daemon")
        assert daemon.process.returncode == 4
    assert list(installation.client.indices.get_alias(index=f"{installation.alias}*")) == []


def test_an_index_that_lost_its_data_is_refused(installation: Installation, real_elastic: Elastic) -> None:
    """† It keeps its UUID, as after a snapshot restored over it; its shard has another history."""
    installation.sql("INSERT INTO public.item (id, title) VALUES (1, 'one')")
    installation.succeed("run", "--once")
    [status] = installation.json("status")["pipelines"]
    lose_data(real_elastic.client, status["index"])
    refused = installation.run("run", "--once")
    assert refused.returncode == 4
    assert "restored from a snapshot" in refused.stderr.replace("\n", " ")
    assert f"syncer rebuild {installation.alias}" in refused.stderr.replace("\n", " ")


def test_an_index_that_may_lose_acknowledged_writes_is_refused(installation: Installation) -> None:
    """† Neither its UUID nor its history would tell afterwards."""
    installation.succeed("run", "--once")
    [status] = installation.json("status")["pipelines"]
    installation.client.indices.put_settings(index=status["index"], settings={"translog.durability": "async"})
    refused = installation.run("run", "--once")
    assert refused.returncode == 4
    assert "translog.durability" in refused.stderr
