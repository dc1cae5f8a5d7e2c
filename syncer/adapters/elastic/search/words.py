"""Searches by words, and without a text: pages by number or by cursor, in any order."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from syncer.adapters.elastic.search.answer import Answer, hits_of, ranked, total_of
from syncer.adapters.elastic.search.body import COUNTED_MAX, highlight, matching, order, source, words_query
from syncer.adapters.elastic.search.conditions import filters
from syncer.adapters.elastic.search.conversation import Call, Conversation, Refused, ShardsMissing
from syncer.adapters.elastic.search.cursor import KEEP_ALIVE, Cursors, Place, expired
from syncer.adapters.elastic.search.declared import Declared
from syncer.adapters.elastic.search.extras import Extras
from syncer.adapters.elastic.search.searched import ask
from syncer.core.error import IndexMissing, RequestInvalid, SyncerError
from syncer.core.field import OWN_FIELD
from syncer.core.search.request import Mode, Request
from syncer.core.search.result import Result

#: What decides between documents that are alike, and on a point in time, which has no need to look at the documents.
_KEY, _PLACE = f"{OWN_FIELD}.key", "_shard_doc"
_KEEP_ALIVE = f"{KEEP_ALIVE.total_seconds():.0f}s"


class WordSearch:
    """Searches by words."""

    def __init__(self, alias: str, declared: Declared, cursors: Cursors) -> None:
        self._alias = alias
        self._declared = declared
        self._cursors = cursors

    def search(self, request: Request) -> Conversation[Result]:
        """Return a page. Raises Refused where Elasticsearch does not take a part."""
        body, extras = self._body(request), Extras(request, self._declared)
        if not (request.paged or request.cursor is not None):
            answers = yield from ask(self._alias, {"": body, **extras.bodies}, request.routing)
            return (yield from self._result(answers, extras, before=request.offset))
        return (yield from self._page(request, body, extras))

    def _page(self, request: Request, body: dict[str, Any], extras: Extras) -> Conversation[Result]:
        if request.offset or not request.size:
            part = "offset" if request.offset else "size"
            raise RequestInvalid(part, f"a search with cursors has no {part} of {getattr(request, part)}")
        search = self._search(request)
        if request.cursor is None:
            place = yield from self._open(request)
        else:
            place = self._cursors.read(request.cursor, search)
        body |= {"pit": {"id": place.point, "keep_alive": _KEEP_ALIVE}, "size": request.size + 1}
        body.pop("from")
        if place.after:
            body["search_after"] = place.after
        try:
            answers = yield from ask(self._alias, {"": body, **extras.bodies}, request.routing)
        except SyncerError as error:
            if request.cursor is None:
                yield from self._close(place.point)
            elif isinstance(error, IndexMissing) or (isinstance(error, Refused) and error.status == 404):
                raise expired() from error
            elif isinstance(error, ShardsMissing):
                # Of a deleted index, as a rebuild leaves one, or all are away: then this raises too.
                yield from ask(self._alias, {"": {"size": 0, "track_total_hits": False}}, request.routing)
                raise expired() from error
            raise
        answer = answers[""]
        point = answer.get("pit_id", place.point)
        page = hits_of(answer)[: request.size]
        cursor = None
        if len(hits_of(answer)) > request.size:
            cursor = self._cursors.write(Place(point, page[-1]["sort"], place.seen + len(page)), search)
        else:
            yield from self._close(point)
        cut: Answer = {**answer, "hits": {**answer["hits"], "hits": page}}
        return replace((yield from self._result({**answers, "": cut}, extras, before=place.seen)), cursor=cursor)

    def _body(self, request: Request) -> dict[str, Any]:
        text = request.text.strip()
        query = words_query(text, request.words, self._declared) if text else None
        paged = request.paged or request.cursor is not None
        return {
            "query": matching(query, filters(request.conditions, self._declared)),
            "from": request.offset,
            "size": request.size,
            "sort": order(request.sort, self._declared, _PLACE if paged else _KEY),
            "track_total_hits": COUNTED_MAX,
            "_source": source(request.fields, self._declared),
            **highlight(request, self._declared),
            **({"explain": True} if request.explain else {}),
        }

    def _result(self, answers: Mapping[str, Answer], extras: Extras, *, before: int) -> Conversation[Result]:
        total, exact = total_of(answers[""])
        return Result(
            Mode.KEYWORD,
            ranked(answers[""], Mode.KEYWORD.value, before),
            total,
            exact,
            extras.facets(answers),
            did_you_mean=(yield from extras.did_you_mean(self._alias, answers)),
        )

    def _open(self, request: Request) -> Conversation[Place]:
        routing = {} if request.routing is None else {"routing": request.routing}
        opened = yield Call("open_point_in_time", {"index": self._alias, "keep_alive": _KEEP_ALIVE, **routing})
        return Place(opened["id"], (), 0)

    def _close(self, point: str) -> Conversation[None]:
        # It ends by itself too.
        with suppress(SyncerError):
            yield Call("close_point_in_time", {"id": point})

    def _search(self, request: Request) -> str:
        """Return what tells this search from others: not what of the documents found is shown."""
        return repr((self._alias, request.text, request.words, request.conditions, request.sort, request.routing))
