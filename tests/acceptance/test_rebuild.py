"""Changing what an index is made of while rows change and searches go on."""

from __future__ import annotations

from typing import Any

from tests.acceptance.installation import Installation, Running, eventually

FIELDS = {"id": "long", "title": "text", "amount": "double", "deleted_at": "date", "updated_at": "date"}
QUICK: dict[str, Any] = {"poll": {"interval": "100ms"}, "index": {"replicas": 0}}


def configure(installation: Installation, **changed: Any) -> None:
    """Write the configuration with other types of fields than inferred ones."""
    installation.configure(**QUICK, fields={**FIELDS, **changed})


def rows(installation: Installation, first: int, count: int) -> None:
    installation.sql(
        "INSERT INTO public.item (id, title, amount) "
        "SELECT i, 'title ' || i, i / 2.0 FROM generate_series(%s::int, %s::int) i",
        first,
        first + count - 1,
    )


def listed(installation: Installation) -> dict[str, dict[str, Any]]:
    return {each["index"]: each for each in installation.json("indices")["indices"]}


def follows(installation: Installation, daemon: Running, first: int) -> None:
    """Wait until what is written now is found."""
    rows(installation, first, 3)

    def found() -> bool:
        assert daemon.process.poll() is None, daemon.log.read_text()[-4000:]
        return set(map(str, range(first, first + 3))) <= installation.indexed().keys()

    eventually(found, f"rows written now are indexed: {daemon.log.read_text()[-3000:]}")


def test_a_rebuild_beside_the_daemon_changes_the_mapping_and_loses_nothing(installation: Installation) -> None:
    """The daemon reads its configuration again; the index before is kept, and rolled back to with its own."""
    configure(installation)
    rows(installation, 1, 500)
    with installation.running("run") as daemon:
        daemon.wait_for("loaded")
        [old] = listed(installation)
        configure(installation, title={"type": "text", "analyzer": "english"})
        done = installation.json("rebuild", installation.alias)
        assert (done["replaced"], done["phase"], done["complete"]) == (old, "live", True)
        assert done["compared"]["source_rows"] == done["compared"]["indexed"] == 500
        new = done["index"]
        mapping = installation.client.indices.get_mapping(index=installation.alias).body
        assert list(mapping) == [new]
        assert mapping[new]["mappings"]["properties"]["title"]["analyzer"] == "english"
        follows(installation, daemon, 1001)
        installation.assert_equal()
        assert daemon.saw("the configuration was read again")
        assert {name: each["role"] for name, each in listed(installation).items()} == {old: "kept", new: "live"}

        refused = installation.run("rollback", installation.alias)
        assert refused.returncode == 4
        assert "analyzer" in refused.stderr
        configure(installation)
        back = installation.json("rollback", installation.alias)
        assert (back["index"], back["replaced"]) == (old, new)
        follows(installation, daemon, 2001)
        installation.assert_equal()
        assert daemon.terminate() == 0


def test_a_kept_index_that_is_followed_is_rolled_back_to_without_a_comparison(installation: Installation) -> None:
    """What the daemon follows anyway needs no proof of its own; nor does one that waits to be promoted."""
    configure(installation)
    rows(installation, 1, 100)
    with installation.running("run") as daemon:
        daemon.wait_for("loaded")
        [first] = listed(installation)
        second = installation.json("rebuild", installation.alias, "--no-swap")
        assert (second["phase"], second["replaced"]) == ("ready", None)
        assert list(installation.client.indices.get_alias(name=installation.alias)) == [first]

        def followed(index: str) -> bool:
            return any(e.get("event") == "attached" and e.get("beside") == index for e in daemon.events())

        eventually(lambda: followed(second["index"]), "the waiting index is followed")
        promoted = installation.json("promote", installation.alias)
        assert (promoted["index"], promoted["replaced"], promoted["compared"]) == (second["index"], first, None)
        eventually(lambda: followed(first), "the kept index is followed")
        follows(installation, daemon, 1001)
        back = installation.json("rollback", installation.alias)
        assert (back["index"], back["compared"]) == (first, None)
        follows(installation, daemon, 2001)
        installation.assert_equal()


def test_a_rebuild_that_is_killed_in_each_phase_goes_on_where_it_was(installation: Installation) -> None:
    """And until it is complete, searches find the whole of the old index."""
    configure(installation)
    rows(installation, 1, 3_000)
    installation.succeed("run", "--once")
    [old] = listed(installation)
    configure(installation, title="keyword")
    built = set()
    for phase in ("new", "loading", "loaded", "ready"):
        with installation.running("rebuild", installation.alias) as rebuild:

            def reached(phase: str = phase, rebuild: Running = rebuild) -> bool:
                phases = {e.get("phase") for e in rebuild.events() if e.get("event") in {"building", "attached"}}
                return phase in phases or rebuild.process.poll() is not None

            eventually(reached, f"phase {phase}")
            rebuild.kill()
        assert installation.client.count(index=installation.alias)["count"] == 3_000
        if phase != "new":  # an index whose creation was under way is begun anew
            built |= listed(installation).keys() - {old}
    [new] = built
    if list(installation.client.indices.get_alias(name=installation.alias)) == [old]:  # else the last kill came late
        assert installation.json("rebuild", installation.alias)["index"] == new
    assert list(installation.client.indices.get_alias(name=installation.alias)) == [new]
    # As when it is killed after the swap, before it could say so.
    installation.sql("UPDATE syncer.runs SET outcome = 'interrupted' WHERE id = (SELECT max(id) FROM syncer.runs)")
    assert installation.json("rebuild", installation.alias)["index"] == new, "nothing is built again"
    settings = installation.client.indices.get_settings(index=new, flat_settings=True)
    assert settings[new]["settings"]["index.refresh_interval"] == "1s"
    installation.succeed("run", "--once")
    installation.assert_equal()
    assert len(listed(installation)) == 2


def test_a_second_rebuild_refuses_and_names_the_first(installation: Installation) -> None:
    """It is not waited for."""
    configure(installation)
    rows(installation, 1, 60_000)
    with installation.running("rebuild", installation.alias) as first:
        first.wait_for("loading")
        refused = installation.run("rebuild", installation.alias)
        assert first.process.poll() is None, "too few rows"
    assert refused.returncode == 5
    assert "another process" in refused.stderr
    assert "pid" in refused.stderr


def test_fields_are_added_in_place_and_filled(installation: Installation) -> None:
    """A new field and a new sub-field, in the index that is there."""
    installation.configure(**QUICK, fields={"title": "text", "updated_at": "date"})
    rows(installation, 1, 300)
    installation.succeed("run", "--once")
    [index] = listed(installation)
    installation.configure(
        **QUICK, fields={"title": {"type": "text", "keyword": True}, "amount": "double", "updated_at": "date"}
    )
    checked = installation.run("check", installation.alias)
    assert "amount" in checked.stdout
    with installation.running("run") as daemon:
        daemon.wait_for("added fields are filled")
        rows(installation, 1001, 1)
        eventually(lambda: "1001" in installation.indexed(), "the new row")
    documents = installation.indexed()
    assert {document["amount"] for key, document in documents.items() if key != "1001"} == {
        i / 2 for i in range(1, 301)
    }
    hits = installation.client.search(index=installation.alias, query={"term": {"title.keyword": "title 7"}})
    assert [hit["_id"] for hit in hits["hits"]["hits"]] == ["7"]
    assert list(listed(installation)) == [index]
    assert installation.json("verify", installation.alias)["complete"]


def test_another_change_is_refused_with_the_exact_difference(installation: Installation) -> None:
    """Nothing is written to an index of another configuration; with `on_change: rebuild` another one is built."""
    configure(installation)
    rows(installation, 1, 50)
    installation.succeed("run", "--once")
    [old] = listed(installation)
    configure(installation, title="keyword")
    refused = installation.run("run", "--once")
    assert refused.returncode == 4
    assert "title" in refused.stderr
    assert "keyword" in refused.stderr
    assert f"syncer rebuild {installation.alias}" in refused.stderr.replace("\n", " ")
    installation.configure(**QUICK, fields={**FIELDS, "title": "keyword"}, on_change="rebuild")
    rows(installation, 101, 5)
    installation.json("run", "--once")
    installation.assert_equal()
    assert {each["role"] for each in listed(installation).values()} == {"kept", "live"}
    configure(installation)
    refused = installation.run("run", "--once")
    assert f"syncer rollback {installation.alias}" in refused.stderr.replace("\n", " ")
    assert old in refused.stderr.replace("\n", " ")


def test_an_index_of_the_aliass_name_is_replaced_when_asked_to(installation: Installation) -> None:
    """The way here from another tool: searches find its index until ours takes its place in one step."""
    alias, client = installation.alias, installation.client
    client.index(index=alias, id="old", document={"title": "of another tool"}, refresh=True)
    rows(installation, 1, 20)
    for refused in (installation.run("run", "--once"), installation.run("rebuild", alias)):
        assert refused.returncode == 2
        assert "--take-over" in refused.stderr
    assert client.count(index=alias)["count"] == 1
    assert listed(installation) == {} or all(not each["searched"] for each in listed(installation).values())
    installation.json("rebuild", alias, "--take-over")
    installation.assert_equal()


def test_an_alias_that_points_elsewhere_too_is_told_and_set_right(installation: Installation) -> None:
    """Searches would find rows twice; the daemon goes on, for it may be on purpose."""
    alias, client = installation.alias, installation.client
    rows(installation, 1, 20)
    installation.succeed("run", "--once")
    client.indices.create(index=f"{alias}-other")
    client.indices.put_alias(index=f"{alias}-other", name=alias)
    with installation.running("run") as daemon:
        daemon.wait_for("searches do not find this index alone")
        refused = installation.run("promote", alias)
        assert refused.returncode == 2
        assert "did not create" in refused.stderr
        installation.json("promote", alias, "--take-over")
        follows(installation, daemon, 101)
    installation.assert_equal()


def test_an_index_that_was_deleted_is_built_again_by_a_rebuild(installation: Installation) -> None:
    """Nothing is kept of it."""
    rows(installation, 1, 20)
    installation.succeed("run", "--once")
    [old] = listed(installation)
    installation.client.indices.delete(index=old)
    assert installation.run("run", "--once").returncode == 4
    assert listed(installation)[old]["missing"]
    done = installation.json("rebuild", installation.alias)
    assert list(listed(installation)) == [done["index"]]
    installation.assert_equal()
