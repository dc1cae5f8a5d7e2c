"""What a server says of an alias that no test server says on demand."""

from __future__ import annotations

from typing import Any

import pytest
from elasticsearch import ApiError, Elasticsearch

from syncer.adapters.elastic.aliases import Aliases
from syncer.core.error import ConfigurationError
from syncer.core.index import Targets
from tests.adapters.elastic.scripted import Answer, Request, scripted

ALONE: dict[str, Any] = {"old": {"aliases": {"all": {}}, "mappings": {}}}


class Changing:
    """A server on which what is behind the alias changes after each look; a move fails while `missing`."""

    def __init__(self, *seen: object, missing: int) -> None:
        self.moves: list[str] = []
        self._seen = list(seen)
        self._missing = missing

    def __call__(self, request: Request) -> Answer:
        if request.path.startswith("/_aliases"):
            self.moves.append(request.body)
            kind = {"type": "index_not_found_exception", "reason": "no such index [old]"}
            return Answer(404, {"error": kind}) if len(self.moves) <= self._missing else Answer(200, {})
        return Answer(200, self._seen.pop(0) if len(self._seen) > 1 else self._seen[0])


def test_an_index_that_goes_while_the_alias_is_moved_is_looked_for_again() -> None:
    """The whole move was refused because of it; what is left of it then is done."""
    changing = Changing(ALONE, {}, missing=1)
    with scripted(changing) as url, Elasticsearch(url) as client:
        Aliases(client).point("all", "new", "articles", take_over=True)
    assert ['"old"' in move for move in changing.moves] == [True, False]


def test_a_move_that_is_refused_again_and_again_ends() -> None:
    """With what the server says."""
    changing = Changing(ALONE, missing=99)
    with scripted(changing) as url, Elasticsearch(url) as client, pytest.raises(ApiError, match="index_not_found"):
        Aliases(client).point("all", "new", "articles", take_over=True)
    assert len(changing.moves) == 3


def test_a_data_stream_of_the_name_is_never_taken_over() -> None:
    """It cannot be deleted like an index; as the real server says it, of the stream's name and of an alias of it."""
    stream = {".ds-all-2026.11.22-000001": {"aliases": {}, "mappings": {}, "data_stream": "logs"}}
    changing = Changing(stream, missing=0)
    with scripted(changing) as url, Elasticsearch(url) as client:
        with pytest.raises(ConfigurationError, match="data stream logs"):
            Aliases(client).point("all", "new", "articles", take_over=True)
        assert Aliases(client).targets("all") == Targets({}, is_index=True)
    assert changing.moves == []
