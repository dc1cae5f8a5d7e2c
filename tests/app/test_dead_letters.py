"""`syncer dead-letters` on real servers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncer.adapters.postgres.state import PostgresStateStore
from syncer.core.index import Phase
from syncer.core.settlement import DeadLetter, Settlement
from tests.app.deployment import Deployment

FIELDS = {"title": "text", "price": "integer"}


@pytest.fixture
def broken(deployment: Deployment) -> Deployment:
    """Four rows, of which Elasticsearch refuses three."""
    deployment.configure(fields=FIELDS)
    deployment.sql(
        "INSERT INTO articles VALUES "
        "(1, 'apple', '3'), (2, 'pear', 'cheap'), (3, 'plum', 'dear'), (4, 'fig', '99999999999')"
    )
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("run", "--once")[0] == 1
    return deployment


def letters(deployment: Deployment, command: str, *arguments: str) -> tuple[int, Any]:
    return deployment.json("dead-letters", command, "articles", *arguments)


def open_keys(deployment: Deployment) -> list[str]:
    code, document = letters(deployment, "list")
    assert code == 0
    return sorted(key for group in document["groups"] for key in group["examples"])


def store(deployment: Deployment) -> PostgresStateStore:
    return PostgresStateStore(deployment.postgres_url, "syncer")


def add(deployment: Deployment, *added: DeadLetter, building: str | None = None) -> None:
    """Store dead letters as a poll would; building: of an index that is being built under this name."""
    state = store(deployment)
    record = state.index("articles")
    assert record is not None
    if building is not None:
        record = state.register(replace(record, name=building, phase=Phase.LOADING, followed=False))
    state.record(record.name, Settlement(dead_letters=added))
    state.close()


def stored(deployment: Deployment) -> dict[str, DeadLetter]:
    state = store(deployment)
    record = state.index("articles")
    assert record is not None
    found = state.dead_letters(record.name)
    state.close()
    return {letter.key[0]: letter for letter in found}


def test_letters_are_listed_by_kind_and_cause(broken: Deployment) -> None:
    """With counts, times, attempts and examples; those that are delivered again by themselves are told."""
    mended = stored(broken)["2"]
    add(broken, DeadLetter(("9",), mended.version, "unreadable", 'bad date "a"', mended.at, passing=True))
    code, document = letters(broken, "list")
    assert (code, document["pipeline"], document["dead_letters"], document["groups_left_out"]) == (0, "articles", 4, 0)
    group, other = document["groups"]
    assert sorted(group["examples"]) == ["2", "3", "4"]
    assert (group["dead_letters"], group["retried"], group["retry_at"]) == (3, 0, None)
    assert "price" in group["cause"]
    assert group["first_at"] <= group["last_at"]
    assert group["attempts"] >= 1
    assert (other["kind"], other["cause"], other["retried"]) == ("unreadable", "bad date …", 1)
    assert other["retry_at"] > other["last_at"]
    _, out, _ = broken.run("dead-letters", "list", "articles")
    assert out.startswith("dead letters of articles: 4\n")
    assert "delivered again by themselves: 1, next " in out
    code, document = letters(broken, "list", "--kind", "unreadable", "--limit", "1")
    assert [one["kind"] for one in document["groups"]] == ["unreadable"]
    code, document = letters(broken, "list", "--limit", "1")
    assert (len(document["groups"]), document["groups_left_out"]) == (1, 1)


def test_one_letter_is_shown_whole(broken: Deployment) -> None:
    """With the reason as it was given."""
    letter = stored(broken)["2"]
    code, document = letters(broken, "show", "2")
    assert code == 0
    [shown] = document["letters"]
    assert document["pipeline"] == "articles"
    assert shown == {
        "index": letters(broken, "list")[1]["index"],
        "key": "2",
        "kind": letter.kind,
        "reason": letter.reason,
        "version": letter.version,
        "attempts": letter.attempts,
        "first_at": letter.since.isoformat(),
        "last_at": letter.at.isoformat(),
        "retry_at": None,
    }
    _, out, _ = broken.run("dead-letters", "show", "articles", "2")
    assert letter.reason in out


def test_an_index_that_is_being_built_has_letters_of_its_own(broken: Deployment) -> None:
    """They are listed and shown, with its name; replay and discard are of the live index alone."""
    like = stored(broken)["2"]
    assert letters(broken, "list")[1]["building"] is None
    for key in ("2", "9"):
        add(broken, DeadLetter((key,), like.version, "unreadable", "bad date", like.at), building="articles-new")
    code, document = letters(broken, "list")
    assert (code, document["dead_letters"]) == (0, 3)
    building = document["building"]
    assert (building["index"], building["dead_letters"]) == ("articles-new", 2)
    assert sorted(building["groups"][0]["examples"]) == ["2", "9"]
    assert (
        "dead letters of index articles-new, which is not in its place yet: 2\n"
        in broken.run("dead-letters", "list", "articles")[1]
    )
    assert [each["index"] for each in letters(broken, "show", "2")[1]["letters"]] == [document["index"], "articles-new"]
    assert [each["index"] for each in letters(broken, "show", "9")[1]["letters"]] == ["articles-new"]
    code, _, err = broken.run("dead-letters", "discard", "articles", "9")
    assert (code, "not in its place yet" in err) == (2, True)
    assert letters(broken, "discard", "--all")[1]["discarded"] == 3
    assert letters(broken, "list")[1]["building"]["dead_letters"] == 2


def test_a_replay_closes_the_letters_of_rows_that_were_mended(broken: Deployment) -> None:
    """It ends with 1 while any of those that it delivered remain; of the others it says nothing."""
    before = stored(broken)
    broken.sql("ALTER TABLE articles DISABLE TRIGGER touch; UPDATE articles SET price = '5' WHERE id <> 3")
    code, document = letters(broken, "replay", "2")
    assert (code, document["applied"], document["remaining"]) == (0, 1, 0)
    assert open_keys(broken) == ["3", "4"]
    code, document = letters(broken, "replay")
    assert (code, document["read"], document["applied"], document["rejected"]) == (1, 2, 1, 1)
    assert document["remaining"] == 1
    assert open_keys(broken) == ["3"]
    assert stored(broken)["3"].attempts == before["3"].attempts + 1
    broken.elastic.client.indices.refresh(index=f"{broken.prefix}*")
    code, found = broken.json("search", "articles", "fig")
    assert [hit["id"] for hit in found["hits"]] == ["4"]
    broken.sql("DELETE FROM articles WHERE id = 3")
    assert letters(broken, "replay", "--kind", before["3"].kind)[0] == 0
    assert open_keys(broken) == []


def test_a_replay_goes_on_past_the_limit_on_rejections(broken: Deployment) -> None:
    """A pipeline that has stopped for them is mended by it."""
    broken.configure(fields=FIELDS, limits={"rejections": 1}, poll={"batch_rows": 1})
    broken.sql("UPDATE articles SET title = 'quince'")
    assert broken.run("run", "--once")[0] == 4
    broken.sql("UPDATE articles SET price = '5' WHERE id = 4")
    code, document = letters(broken, "replay")
    assert (code, document["read"], document["remaining"]) == (1, 3, 2)


def test_letters_are_forgotten_by_key_by_kind_or_all(broken: Deployment) -> None:
    """And what was chosen is told."""
    assert letters(broken, "discard", "3", "2") == (0, {"pipeline": "articles", "discarded": 2})
    assert open_keys(broken) == ["4"]
    assert letters(broken, "discard", "--kind", "nonsense")[1]["discarded"] == 0
    assert letters(broken, "discard", "--all")[1]["discarded"] == 1
    assert letters(broken, "list")[1]["dead_letters"] == 0


@pytest.mark.parametrize("options", [[], ["2", "--all"], ["--kind", "x", "--all"], ["--kind", "x", "2"]])
def test_discard_refuses_without_one_choice(options: list[str], broken: Deployment) -> None:
    """Nobody forgets all of them by forgetting an argument."""
    code, out, err = broken.run("dead-letters", "discard", "articles", *options)
    assert (code, out) == (2, "")
    assert "give keys" in err
    assert open_keys(broken) == ["2", "3", "4"]


@pytest.mark.parametrize("command", ["show", "replay", "discard"])
def test_a_key_without_a_letter_is_told(command: str, broken: Deployment) -> None:
    """And nothing is done for the others that were given with it."""
    keys = ["7"] if command == "show" else ["2", "7"]
    code, out, err = broken.run("dead-letters", command, "articles", *keys)
    assert (code, out) == (2, "")
    assert "pipeline 'articles' has no dead letter '7'" in err
    assert "syncer dead-letters list articles" in err
    assert open_keys(broken) == ["2", "3", "4"]


def test_keys_of_several_columns_are_document_ids(deployment: Deployment) -> None:
    """As Elasticsearch has them."""
    deployment.sql(
        "CREATE TABLE parts (a text, b int, price text, updated_at timestamptz DEFAULT now(), PRIMARY KEY (a, b))"
    )
    deployment.sql("INSERT INTO parts VALUES ('x|y', 1, 'cheap'), ('x', 2, 'dear')")
    deployment.configure(table="parts", fields={"price": "integer"})
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("run", "--once")[0] == 1
    assert open_keys(deployment) == ["x\\|y|1", "x|2"]
    assert letters(deployment, "show", "x\\|y|1")[1]["letters"][0]["key"] == "x\\|y|1"
    code, _, err = deployment.run("dead-letters", "show", "articles", "x")
    assert code == 2
    assert "no dead letter 'x'" in err


@pytest.mark.parametrize("id_", ["k\\|1|x\\\\1", "it's"])
def test_a_key_without_a_letter_is_told_as_it_was_typed(id_: str, broken: Deployment) -> None:
    """To be compared with what the list shows."""
    code, _, err = broken.run("dead-letters", "show", "articles", id_)
    assert code == 2
    assert f"has no dead letter '{id_}'\n" in err


@pytest.mark.parametrize(("command", "keys"), [("list", []), ("show", ["a\x1b[2J\nb"])])
def test_what_a_terminal_would_obey_is_escaped(command: str, keys: list[str], broken: Deployment) -> None:
    """A key is whatever somebody has written into the table."""
    like = stored(broken)["2"]
    letters(broken, "discard", "--all")
    add(broken, DeadLetter(("a\x1b[2J\nb",), like.version, "unreadable", "not a \x1b[31mnumber", like.at))
    code, out, _ = broken.run("dead-letters", command, "articles", *keys)
    assert code == 0
    assert "a\\x1b[2J\\nb" in out
    assert "not a \\x1b[31mnumber" in out
    assert "\x1b" not in out


def test_a_pipeline_without_index_has_no_letters(deployment: Deployment) -> None:
    """It says what makes one."""
    assert deployment.run("migrate")[0] == 0
    code, _, err = deployment.run("dead-letters", "list", "articles")
    assert code == 2
    assert "syncer run articles" in err
