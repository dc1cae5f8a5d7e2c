"""Searches with a client of an event loop."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from elastic_transport import ApiError, TransportError
from elasticsearch import AsyncElasticsearch

from syncer.adapters.elastic.search.conversation import Call, Conversation, Embed, refused
from syncer.adapters.elastic.search.cursor import Cursors
from syncer.adapters.elastic.search.searched import Searched
from syncer.adapters.elastic.search.searches import Searches
from syncer.core.error import SyncerError
from syncer.core.search.condition import Condition
from syncer.core.search.request import Request
from syncer.core.search.result import Completion, Result
from syncer.ports import Clock

_Result = TypeVar("_Result")


class AsyncElasticSearcher:
    """Implements `AsyncSearcher`."""

    def __init__(
        self,
        client: AsyncElasticsearch,
        searched: Searched,
        embed: Callable[[str], Awaitable[bytes]] | None,
        clock: Clock,
        secret: bytes | None = None,
    ) -> None:
        """embed: queries; None: only words can be searched. secret: signs cursors; None: this object reads its own."""
        self._client = client
        self._embed = embed
        self._searches = Searches(searched, Cursors(secret or os.urandom(32), clock), embeds=embed is not None)

    async def search(self, request: Request) -> Result:
        return await self._hold(self._searches.search(request))

    async def suggest(
        self, text: str, *, field: str | None = None, size: int = 8, conditions: Sequence[Condition] = ()
    ) -> Sequence[Completion]:
        return await self._hold(self._searches.suggest(text, field, size, conditions))

    async def similar(self, id: str, *, size: int = 10, conditions: Sequence[Condition] = ()) -> Result | None:
        return await self._hold(self._searches.similar(id, size, conditions))

    async def document(self, id: str, *, conditions: Sequence[Condition] = ()) -> Mapping[str, Any] | None:
        return await self._hold(self._searches.document(id, conditions))

    async def _hold(self, conversation: Conversation[_Result]) -> _Result:
        try:
            step = next(conversation)
            while True:
                try:
                    answer = await self._answer(step)
                except SyncerError as error:
                    step = conversation.throw(error)
                except (ApiError, TransportError) as error:
                    step = conversation.throw(refused(error))
                else:
                    step = conversation.send(answer)
        except StopIteration as end:
            result: _Result = end.value
            return result

    async def _answer(self, step: Call | Embed) -> Any:
        match step:
            case Call(method, parameters):
                return (await attrgetter(method)(self._client)(**parameters)).body
            case Embed(text):
                assert self._embed is not None
                return await self._embed(text)
