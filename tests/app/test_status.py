"""`syncer status` on real servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from syncer.adapters.postgres.state import PostgresStateStore
from syncer.core.settlement import Settlement
from syncer.core.text_counts import TextCounts
from tests.app.deployment import Deployment
from tests.app.test_model import MODEL


def status(deployment: Deployment) -> dict[str, Any]:
    code, document = deployment.json("status")
    assert code == 0
    (one,) = document["pipelines"]
    assert isinstance(one, dict)
    return one


@pytest.fixture
def loaded(deployment: Deployment) -> Deployment:
    """An index of two rows."""
    deployment.sql("INSERT INTO articles VALUES (1, 'a', ''), (2, 'b', '')")
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("run", "--once")[0] == 0
    return deployment


@pytest.fixture
def holder(loaded: Deployment) -> Iterator[None]:
    """Somebody who holds the lease."""
    store = PostgresStateStore(loaded.postgres_url, "syncer")
    lease = store.acquire(status(loaded)["index"])
    yield
    lease.release()
    store.close()


def test_a_pipeline_that_never_ran_is_new(deployment: Deployment) -> None:
    """There is nothing to tell, and that is no error."""
    assert deployment.run("migrate")[0] == 0
    one = status(deployment)
    assert (one["state"], one["index"], one["documents"], one["lag_seconds"]) == ("new", None, None, None)
    assert one["problems"] == []


def test_without_a_state_schema_it_says_what_creates_it(deployment: Deployment) -> None:
    """As every command."""
    code, _, err = deployment.run("status")
    assert code == 2
    assert "syncer migrate" in err


def test_a_loaded_pipeline_tells_how_far_it_is(loaded: Deployment) -> None:
    """With all the fields that scripts rely on."""
    one = status(loaded)
    assert one["name"] == "articles"
    assert (one["state"], one["phase"], one["documents"], one["dead_letters"]) == ("stopped", "live", 2, 0)
    assert (one["fingerprint_matches"], one["verify_needed"], one["problems"]) == (True, False, [])
    assert one["checkpoint"].endswith("+00:00")
    # The checkpoint is a margin of two seconds behind the poll that got there.
    assert 0 <= one["lag_seconds"] < one["horizon_lag_seconds"] < 60
    assert one["horizon_lag_seconds"] - one["lag_seconds"] == pytest.approx(2, abs=0.01)
    code, out, _ = loaded.run("status")
    assert code == 0
    assert one["index"] in out
    assert "nobody follows it: start syncer run" in " ".join(out.split())


@pytest.mark.usefixtures("holder")
def test_a_pipeline_whose_lease_is_held_is_followed(loaded: Deployment) -> None:
    """Whoever holds it."""
    one = status(loaded)
    assert one["state"] == "following"
    assert one["holder"]
    assert "nobody follows it" not in loaded.run("status")[1]


def test_a_watermark_without_zone_is_told_in_utc(loaded: Deployment) -> None:
    """Whatever zone its writers keep."""
    loaded.sql(
        "CREATE TABLE local (id int PRIMARY KEY, updated_at timestamp DEFAULT (now() AT TIME ZONE 'Asia/Tokyo'))"
    )
    index = {"alias": f"{loaded.prefix}-local", "replicas": 0}
    local = {"table": "local", "watermark_zone": "Asia/Tokyo", "index": index}
    loaded.configure(pipelines={"local": local})
    assert loaded.run("run", "--once")[0] == 0
    one = status(loaded)
    assert 0 <= one["lag_seconds"] < one["horizon_lag_seconds"] < 60


def test_what_became_of_texts_is_told(loaded: Deployment) -> None:
    """Of a pipeline that embeds; the hit ratio once there were texts, and what helps where some were cut."""
    assert status(loaded)["texts"] is None
    loaded.configure(model=MODEL, embedding={"text": "{title}"})
    assert status(loaded)["texts"] == {"embedded": 0, "cached": 0, "truncated": 0, "hit_ratio": None}
    assert "embedded" not in loaded.run("status")[1]
    store = PostgresStateStore(loaded.postgres_url, "syncer")
    store.record(status(loaded)["index"], Settlement(texts=TextCounts(30, 10, 2)))
    store.close()
    assert status(loaded)["texts"] == {"embedded": 30, "cached": 10, "truncated": 2, "hit_ratio": 0.25}
    out = " ".join(loaded.run("status")[1].split())
    assert "30 texts embedded, 10 found in the cache (hit ratio 25.0%)" in out
    assert "did not read: 2; embedding.chunk splits all but" in out


def test_it_works_while_elasticsearch_is_down(loaded: Deployment) -> None:
    """What only Elasticsearch knows is left out, with the reason."""
    loaded.configure(elasticsearch={"hosts": "http://127.0.0.1:1"})
    one = status(loaded)
    assert one["documents"] is None
    assert one["lag_seconds"] is not None
    (problem,) = one["problems"]
    assert problem.startswith("Elasticsearch cannot be looked at: elasticsearch: ")
    assert "nobody follows it: a daemon that runs goes on by itself" in " ".join(loaded.run("status")[1].split())


def test_it_works_while_the_source_is_down(loaded: Deployment) -> None:
    """Where the state is elsewhere."""
    loaded.configure(source={"url": "postgresql://a:hunter2@127.0.0.1:1/b"}, state={"url": loaded.postgres_url})
    one = status(loaded)
    assert (one["documents"], one["blockers"], one["unreachable"], one["fingerprint_matches"]) == (2, None, None, None)
    assert one["lag_seconds"] is not None
    (problem,) = one["problems"]
    assert problem.startswith("the table cannot be looked at: source.url: ")
    assert "hunter2" not in problem


def test_a_table_that_cannot_be_read_in_a_moment_holds_up_nothing(loaded: Deployment) -> None:
    """What takes long to count is left out, and what is to blame is told."""
    with psycopg.connect(loaded.postgres_url, application_name="vacuum full") as other:
        other.execute("LOCK TABLE articles")
        one = status(loaded)
        assert "are not counted, for it takes too long; syncer check counts them" in loaded.run("status")[1]
    assert (one["unreachable"], one["problems"], one["documents"]) == (None, [], 2)
    assert [blocker["application_name"] for blocker in one["blockers"]] == ["vacuum full"]
    assert status(loaded)["unreachable"] == {"missing": 0, "infinite": 0, "future": 0}


def test_what_asks_for_attention_is_told(loaded: Deployment) -> None:
    """Rejections, rows that no poll meets, a configuration that has moved on, and whoever holds the horizon."""
    loaded.sql(
        "ALTER TABLE articles ALTER updated_at DROP NOT NULL;"
        "INSERT INTO articles VALUES (3, 'c', '', NULL), (4, 'd', '', 'infinity'), (5, 'e', '', '2999-01-01')"
    )
    loaded.configure(fields={"title": "keyword"})
    with psycopg.connect(loaded.postgres_url, application_name="forgotten") as connection:
        connection.execute("SELECT 1")
        one = status(loaded)
        _, out, _ = loaded.run("status")
    assert one["unreachable"] == {"missing": 1, "infinite": 1, "future": 1}
    assert (one["fingerprint_matches"], "mapping" in one["fingerprint_differs_in"]) == (False, True)
    assert "mapping: title.type is text, configured keyword" in one["differences"]
    assert one["differences_remedy"].startswith("syncer rebuild articles")
    assert [blocker["application_name"] for blocker in one["blockers"]] == ["forgotten"]
    assert "syncer rebuild articles" in out
    assert "\n  mapping: price was removed" in out
    assert "rows without a watermark, which are never polled: 1" in out


def test_what_is_to_be_verified_and_what_was_is_told(loaded: Deployment) -> None:
    """With when, and why; and how many rows are delivered again by themselves."""
    one = status(loaded)
    assert (one["verified_at"], one["truncated_at"], one["dead_letters_retried"]) == (None, None, 0)
    loaded.sql(
        f"""
        UPDATE syncer.indices SET verified_at = '2026-05-04 12:00+02', reconcile = '2026-05-04 13:00+02',
            truncated = '2026-05-04 13:00+02';
        INSERT INTO syncer.dead_letters
        VALUES ('{one["index"]}', 'd', '{{1}}', 5, 'kind', 'why', 1, now(), now(), now())
        """
    )
    one = status(loaded)
    assert (one["verify_needed"], one["verify_reason"], one["dead_letters_retried"]) == (True, None, 1)
    assert (one["verified_at"], one["truncated_at"]) == ("2026-05-04T10:00:00+00:00", "2026-05-04T11:00:00+00:00")
    _, out, _ = loaded.run("status")
    assert "2026-05-04 10:00:00 UTC" in out
    assert "compared with its source: a table was truncated at 2026-05-04 11:00:00 UTC" in out
    loaded.sql("UPDATE syncer.indices SET truncated = NULL")
    one = status(loaded)
    assert (one["verify_needed"], one["truncated_at"]) == (True, None)
    assert "compared with its source: a table is followed anew since 2026-05-04 11:00:00 UTC" in loaded.run("status")[1]
    assert "delivered again by themselves: 1" in out


def test_a_load_that_was_interrupted_tells_how_far_it_is(loaded: Deployment) -> None:
    """In rows."""
    index = status(loaded)["index"]
    loaded.sql(
        f"""
        UPDATE syncer.indices SET phase = 'loading';
        INSERT INTO syncer.backfill_ranges (index, number, rows, in_flight, settled_rows, done)
        VALUES ('{index}', 0, 100, '[]', 100, true), ('{index}', 1, 50, '[]', 20, false)
        """
    )
    one = status(loaded)
    assert (one["state"], one["load"], one["lag_seconds"]) == ("stopped", {"settled": 120, "total": 150}, None)
    assert "120 of 150 rows are loaded" in loaded.run("status")[1]


def test_why_documents_are_put_off_is_told_until_they_are_delivered(loaded: Deployment) -> None:
    """In the words of the server, as the last poll met them."""
    index = status(loaded)["index"]
    store = PostgresStateStore(loaded.postgres_url, "syncer")
    lease = store.acquire(index)
    blocked = {
        feed: replace(known, deferred=2, deferred_reason="blocked") for feed, known in lease.checkpoints().items()
    }
    lease.commit(Settlement({"public.articles": blocked["public.articles"]}))
    lease.release()
    store.close()
    assert status(loaded)["problems"] == ["2 documents are put off: blocked"]
    loaded.sql("INSERT INTO articles VALUES (3, 'c', '')")
    assert loaded.run("run", "--once")[0] == 0
    assert status(loaded)["problems"] == []


def test_an_alias_that_leads_elsewhere_is_told(loaded: Deployment) -> None:
    """With the command that points it to the live index again."""
    client, alias = loaded.elastic.client, f"{loaded.prefix}-articles"
    index = status(loaded)["index"]
    client.indices.delete_alias(index=index, name=alias)
    expected = f"alias {alias} is missing, so that searches do not find {index}: syncer promote articles"
    assert status(loaded)["problems"] == [expected]
    client.indices.create(index=f"{loaded.prefix}-other", aliases={alias: {}})
    expected = (
        f"alias {alias} points to {loaded.prefix}-other, not to {index} alone: syncer promote articles --take-over"
    )
    assert status(loaded)["problems"] == [expected]
    assert loaded.run("promote", "articles", "--take-over")[0] == 0
    assert status(loaded)["problems"] == []
    client.indices.put_alias(index=index, name=alias, is_write_index=False)
    expected = f"alias {alias} points to {index}, but not for writes: syncer promote articles"
    assert status(loaded)["problems"] == [expected]
    assert loaded.run("promote", "articles")[0] == 0
    assert status(loaded)["problems"] == []


def test_what_is_built_beside_the_live_index_is_told(loaded: Deployment) -> None:
    """That it waits is no problem; that it is unfinished, and nobody builds it, is one."""
    assert loaded.run("rebuild", "articles", "--no-swap")[0] == 0
    one = status(loaded)
    waiting = one["building"]["index"]
    assert (one["building"], one["problems"]) == ({"index": waiting, "phase": "ready", "holder": None}, [])
    told = f"index {waiting} waits to be promoted: syncer promote articles; "
    assert f"{told}or delete it: syncer rebuild articles --abandon" in unwrapped(loaded)
    loaded.sql("UPDATE syncer.indices SET phase = 'loading' WHERE NOT followed")
    problem = (
        f"index {waiting} is not finished (loading), and nobody builds it: go on with it: syncer rebuild articles; "
    )
    assert status(loaded)["problems"] == [f"{problem}or delete it: syncer rebuild articles --abandon"]
    store = PostgresStateStore(loaded.postgres_url, "syncer")
    lease = store.acquire(waiting)
    one = status(loaded)
    assert (one["problems"], bool(one["building"]["holder"])) == ([], True)
    assert f"index {waiting} is being built (loading)" in unwrapped(loaded)
    lease.release()
    store.close()
    assert loaded.run("rebuild", "articles", "--abandon", "--restart")[0] == 2
    code, out, _ = loaded.run("rebuild", "articles", "--abandon")
    assert (code, f"index {waiting} is deleted" in " ".join(out.split())) == (0, True)
    one = status(loaded)
    assert (one["building"], one["problems"]) == (None, [])
    assert not loaded.elastic.client.indices.exists(index=waiting)


def test_fields_that_are_still_to_be_filled_are_told(loaded: Deployment) -> None:
    """That is no problem."""
    loaded.sql("UPDATE syncer.indices SET filling = true")
    one = status(loaded)
    assert (one["filling"], one["problems"]) == (True, [])
    assert "a backfill has still to fill them" in unwrapped(loaded)


def unwrapped(deployment: Deployment) -> str:
    return " ".join(deployment.run("status")[1].split())
