"""Which tables triggers note, and which of their columns: by all that documents are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from syncer.core.feed import Feed
from syncer.core.noted_table import NotedTable, noted_tables
from syncer.core.relation import Join
from syncer.core.table import Table


def a_table(name: str, *, watermark: str | None = "updated_at", routing: str | None = None) -> Table:
    return Table("public", name, {}, ("id",), watermark, routing=routing)


def columns(found: Sequence[NotedTable]) -> Mapping[str, set[str]]:
    return {noted.table.name: set(noted.columns) for noted in found}


ARTICLE, AUTHOR, TAG = a_table("article"), a_table("author"), a_table("tag")
BY_AUTHOR = Join(AUTHOR, (("author", "id"),))
BY_COUNTRY = Join(a_table("country"), (("country", "code"),))
TAGGED = Join(a_table("tagged"), (("id", "article"),))
BY_TAG = Join(TAG, (("tag", "id"),))


def test_a_table_that_stands_alone_is_noted_by_its_key() -> None:
    """No column besides."""
    assert noted_tables([Feed(ARTICLE)]) == [NotedTable(ARTICLE, frozenset())]


def test_both_sides_of_every_join_are_noted() -> None:
    """The root comes first; tables between are among them, once."""
    ways = [(BY_AUTHOR,), (BY_AUTHOR, BY_COUNTRY), (TAGGED,), (TAGGED, BY_TAG)]
    found = noted_tables([Feed(ARTICLE, ways)])
    assert columns(found) == {
        "article": {"author", "id"},
        "author": {"id", "country"},
        "country": {"code"},
        "tagged": {"article", "tag"},
        "tag": {"id"},
    }
    assert found[0].table is ARTICLE


def test_other_pipelines_have_their_columns_noted_too() -> None:
    """Of the tables that this one has, and of no others."""
    found = noted_tables([Feed(ARTICLE, [(BY_AUTHOR,)])], [Feed(AUTHOR, [(BY_COUNTRY,)]), Feed(TAG)])
    assert columns(found) == {"article": {"author"}, "author": {"id", "country"}}


def test_a_root_is_noted_by_its_pipeline_s_key_and_routing() -> None:
    """For a pipeline that it is related to as well, and for one of the same table without routing."""
    routed, plain = a_table("author", routing="tenant"), a_table("author")
    related = replace(BY_AUTHOR, table=replace(AUTHOR, key=("name",)))
    assert noted_tables([Feed(ARTICLE, [(related,)])], [Feed(routed)])[1].table is routed
    assert noted_tables([Feed(routed)], [Feed(plain)]) == noted_tables([Feed(plain)], [Feed(routed)])
    assert noted_tables([Feed(plain)], [Feed(routed)]) == [NotedTable(routed, frozenset())]


def test_a_related_table_is_noted_by_one_key() -> None:
    """Whichever of the pipelines that give it different ones asks: nobody needs it."""
    one, other = (Feed(ARTICLE, [(Join(replace(TAG, key=(key,)), (("tag", "id"),)),)]) for key in ("id", "name"))
    assert noted_tables([one], [other]) == noted_tables([other], [one])


def test_pipelines_contest_a_table_by_key_and_routing() -> None:
    """One set of triggers cannot note it for both."""
    one = a_table("author", routing="tenant")
    for other in (replace(one, key=("name",)), replace(one, routing="country")):
        assert [noted.contested for noted in noted_tables([Feed(one)], [Feed(other)])] == [True]
        assert [noted.contested for noted in noted_tables([Feed(ARTICLE)], [Feed(one), Feed(other)])] == [False]
        [found] = noted_tables([Feed(ARTICLE, [(BY_AUTHOR,)])], [Feed(one), Feed(other)])[1:]
        assert found.contested


def test_one_that_goes_without_the_watermark_has_every_change_noted() -> None:
    """Wherever in the configuration; key and routing stay those of the root."""
    without = Join(a_table("author", watermark=None), (("author", "id"),))
    routed = a_table("author", routing="tenant")
    for of, others in (
        (Feed(ARTICLE, [(without,)]), [Feed(routed)]),
        (Feed(routed), [Feed(ARTICLE, [(without,)])]),
        (Feed(routed), [Feed(ARTICLE, [(BY_AUTHOR,)]), Feed(ARTICLE, [(without,)])]),
    ):
        [table] = [noted.table for noted in noted_tables([of], others) if noted.table.name == "author"]
        assert (table.watermark, table.routing) == (None, "tenant")


def test_the_feed_of_a_query_is_noted_by_columns() -> None:
    """The key is that of a pipeline whose table it is, and else the same one whoever asks."""
    line = replace(a_table("line"), key=("article",))
    of, other = Feed(line, of_query=True), Feed(replace(line, key=("buyer",)), of_query=True)
    columns = frozenset({"article", "buyer"})
    assert noted_tables([of], [other]) == noted_tables([other], [of]) == [NotedTable(other.table, columns)]
    assert noted_tables([of], [Feed(a_table("line"))]) == [NotedTable(a_table("line"), frozenset({"article"}))]


def test_a_table_wakes_whoever_of_the_configuration_asks() -> None:
    """Related ones too, and those that other pipelines share; not what no such pipeline reads."""
    ways = [(BY_AUTHOR, BY_COUNTRY)]
    plain, waking = Feed(ARTICLE, ways), Feed(AUTHOR, [(BY_COUNTRY,)], wakes=True)
    assert [noted.wakes for noted in noted_tables([plain], [waking])] == [False, True, True]
    assert [noted.wakes for noted in noted_tables([waking], [plain])] == [True, True]
    assert not any(noted.wakes for noted in noted_tables([plain]))


def test_a_feed_without_watermark_has_every_change_noted() -> None:
    """Of several feeds the tables with the key come first."""
    without = a_table("price", watermark=None)
    found = noted_tables([Feed(ARTICLE, [(BY_AUTHOR,)]), Feed(without)])
    assert [noted.table for noted in found] == [ARTICLE, without, AUTHOR]
