"""Elasticsearch's own fusion, where its licence allows it, beside ours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncer.adapters.elastic.search.conversation import Embed, Refused
from syncer.adapters.elastic.search.cursor import Cursors
from syncer.adapters.elastic.search.searched import Searched
from syncer.adapters.elastic.search.searches import Searches
from syncer.adapters.memory.clock import MemoryClock
from syncer.core.error import AccessDenied
from syncer.core.search.condition import Term
from syncer.core.search.fusion import Fusion
from syncer.core.search.request import Mode, Request
from tests.adapters.elastic.search.conftest import Open
from tests.adapters.elastic.search.library import FIELDS, VECTORS, direction
from tests.conftest import Elastic

#: The answer of a search that finds nothing.
NOTHING = {"hits": {"hits": [], "total": {"value": 0, "relation": "eq"}}}

#: Of which no two documents share a rank.
TEXTS = ["rivers", "bridges cross rivers", "granite"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("fusion", [Fusion(), Fusion(k=1, window=5)])
def test_both_fuse_alike(open_searcher: Open, searched: Searched, elastic: Elastic, text: str, fusion: Fusion) -> None:
    """The same documents, in the same order, with the same scores; where the server refuses, ours steps in."""
    request = Request(text, Mode.HYBRID, fusion=fusion, size=3, conditions=(Term("tags", ("water", "works")),))
    ours = open_searcher(searched).search(request)
    theirs = open_searcher(replace(searched, server_fusion=True)).search(request)
    assert [hit.id for hit in theirs.hits] == [hit.id for hit in ours.hits]
    assert [hit.score for hit in theirs.hits] == [pytest.approx(hit.score) for hit in ours.hits]
    # The embedded engine has no licence to ask.
    assert elastic.real or not any(hit.ranks for hit in theirs.hits)
    assert (theirs.mode, theirs.total) == (ours.mode, ours.total)
    assert [hit.source for hit in theirs.hits] == [hit.source for hit in ours.hits]


def test_rankings_of_different_weight_are_fused_by_us(open_searcher: Open, searched: Searched) -> None:
    """And those that are explained: the server tells no ranks."""
    searcher = open_searcher(replace(searched, server_fusion=True))
    weighted = searcher.search(Request("rivers", fusion=Fusion(vector=2)))
    assert all(hit.ranks for hit in weighted.hits)
    assert all(hit.ranks for hit in searcher.search(Request("rivers", explain=True)).hits)


@pytest.mark.parametrize(
    "refusal", [Refused(400, "parsing_exception", "unknown retriever [rrf]"), AccessDenied("licence")]
)
def test_a_refusal_is_remembered(clock: MemoryClock, refusal: Exception) -> None:
    """The next search asks at once for rankings to fuse here."""
    searches = Searches(Searched("a", FIELDS, VECTORS, server_fusion=True), Cursors(b"", clock), embeds=True)

    def asked(*refusals: Exception) -> list[bool]:
        """Return of each request whether it was to be fused by the server."""
        conversation, left, found = searches.search(Request("x")), list(refusals), []
        step = next(conversation)
        while True:
            try:
                if isinstance(step, Embed):
                    step = conversation.send(direction(step.text))
                    continue
                bodies = step.parameters["searches"][1::2]
                found.append(any("retriever" in body for body in bodies))
                nothing = {"hits": {"hits": [], "total": {"value": 0, "relation": "eq"}}}
                step = (
                    conversation.throw(left.pop())
                    if left
                    else conversation.send({"responses": [nothing] * len(bodies)})
                )
            except StopIteration:
                return found

    assert asked(refusal) == [True, False]
    assert asked() == [False]
