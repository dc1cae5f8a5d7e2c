"""Writes to one physical index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from elastic_transport import ApiError
from elasticsearch import Elasticsearch
from elasticsearch.helpers import streaming_bulk

from syncer.adapters.elastic.action import Action, Actions
from syncer.adapters.elastic.error import NOT_OF_A_ROW, cause, failure, retry_after, translate_errors
from syncer.adapters.elastic.limit import Limits, read_limits
from syncer.adapters.elastic.version import server_version
from syncer.core.change import Document, Draft, Write
from syncer.core.error import FatalError
from syncer.core.field import OWN_FIELD
from syncer.core.held import Held
from syncer.core.key import Key, document_id
from syncer.core.outcome import Deferred, Outcome, Rejected, classify

#: A whole request that is refused with one of these is sent again in halves, until the row is found that is to blame.
_BLAMES_A_ROW = frozenset({400, 413})
_PUTS_OFF = frozenset({429, 503})
#: The one refusal that passes: nobody may write to the index for now.
_BLOCKED = "cluster_block_exception"
#: From here on vectors may be sent as base64.
_PACKED_VECTORS = (9, 3)
#: What is read of each item of an answer: half of it, which is worth a fifth of this process's time in a load.
_ANSWER = "items.*._id,items.*.status,items.*.result,items.*.error"
_HASH = f"{OWN_FIELD}.hash"
#: Of what is not there, or cannot be read, the id alone.
_HELD = f"docs._id,docs._version,docs._source.{_HASH}"


class ElasticSink:
    """Sends writes through the write alias of one index. Safe for several threads."""

    def __init__(
        self,
        client: Elasticsearch,
        write_alias: str,
        *,
        chunk_bytes_max: int = 8 * 2**20,
        document_bytes_max: int | None = None,
        wait_seconds: float = 10.0,
    ) -> None:
        """chunk_bytes_max: of one request; a longer document travels alone. document_bytes_max: None for what the
        server takes. wait_seconds: how long the server may wait for a shard that is away; less than the client waits
        for the server, so that documents of other shards are answered for."""
        # A bulk whose answer was lost must not be sent again as it is: by then it may claim more than it delivers.
        self._client = client.options(max_retries=0)
        self._write_alias = write_alias
        self._actions = Actions(write_alias)
        self._chunk_bytes_max = chunk_bytes_max
        self._timeout = f"{round(wait_seconds * 1000)}ms"
        self._document_bytes_max = document_bytes_max

    def write(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Send one write per key, and return their outcomes in order; see `ports.Sink`."""
        packed = any(isinstance(write, Document) and write.vectors for write in writes) and self._takes_packed
        actions = [self._actions.of(write, packed=packed) for write in writes]
        with translate_errors():
            longest = self._document_bytes_max or self._limits.request
            outcomes: list[Outcome | None] = [_too_large(a, longest) if a.size > longest else None for a in actions]
            sent = iter(self._send([a for a, known in zip(actions, outcomes, strict=True) if known is None]))
            return [known or next(sent) for known in outcomes]

    def held(self, drafts: Sequence[Draft]) -> Mapping[Key, Held]:
        """Return what is there now where these drafts belong; see `ports.Sink`."""
        docs = [
            {"_id": document_id(draft.key), **({"routing": draft.routing} if draft.routing else {})} for draft in drafts
        ]
        with translate_errors():
            try:
                answer = self._client.mget(
                    index=self._write_alias, docs=docs, source_includes=[_HASH], filter_path=[_HELD]
                ).body
            except ApiError as error:
                if error.meta.status not in _PUTS_OFF:
                    raise
                return {}  # the writes are then put off, and sent again
        found = zip(drafts, answer["docs"], strict=True)
        return {
            draft.key: Held(doc["_version"], own["hash"])
            for draft, doc in found
            # Of a document that somebody else wrote it may be anything that Elasticsearch takes for one, a list too.
            if isinstance(own := doc.get("_source", {}).get(OWN_FIELD), dict)
        }

    @cached_property
    def _limits(self) -> Limits:
        return read_limits(self._client)

    @cached_property
    def _takes_packed(self) -> bool:
        """Tell whether vectors may be sent as base64: not where the document would keep them as they are sent."""
        if server_version(self._client) < _PACKED_VECTORS:
            return False
        setting = "index.mapping.exclude_source_vectors"
        with translate_errors():
            answer = self._client.indices.get_settings(
                index=self._write_alias, name=setting, include_defaults=True
            ).body
        mappings = [
            found.get(part, {}).get("index", {}).get("mapping", {})
            for found in answer.values()
            for part in ("settings", "defaults")
        ]
        return any(mapping.get("exclude_source_vectors") == "true" for mapping in mappings)

    def _send(self, actions: Sequence[Action]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        try:
            for item in self._answers(actions):
                outcomes.append(self._outcome(actions[len(outcomes)], item))
        except ApiError as error:
            # Chunks before this one were answered for, in order; nothing is known of the rest.
            outcomes += self._refused(actions[len(outcomes) :], error)
        if len(outcomes) != len(actions):
            raise FatalError(f"elasticsearch: {len(actions)} writes were sent and {len(outcomes)} answered for")
        return outcomes

    def _answers(self, actions: Sequence[Action]) -> Iterator[Mapping[str, Any]]:
        # Lines go through the helper as they are; its types know dictionaries only. Without retries and exceptions of
        # its own it never looks into them.
        lines: Any = actions
        answers = streaming_bulk(
            self._client,
            lines,
            expand_action_callback=_lines,
            chunk_size=max(1, len(actions)),
            max_chunk_bytes=self._chunk_bytes_max,
            max_retries=0,
            raise_on_error=False,
            raise_on_exception=True,
            require_alias=True,
            filter_path=_ANSWER,
            timeout=self._timeout,
        )
        return (answer for _, answer in answers)

    def _outcome(self, action: Action, item: Mapping[str, Any]) -> Outcome:
        ((operation, answer),) = item.items()
        if operation != action.operation or answer.get("_id") != action.id:
            raise FatalError(f"elasticsearch: the answer to {action.operation} {action.id!r} is another one's")
        status = answer["status"]
        if "error" not in answer:
            return classify(operation, status, result=answer.get("result", ""))
        kind, reason = cause(answer)
        # A refusal of any kind: were it a dead letter, a key that lost a privilege would bury the table.
        if kind in NOT_OF_A_ROW or (status == 403 and kind != _BLOCKED):
            raise failure(status, kind, reason)
        return self._never_fits(action, status, kind) or classify(operation, status, kind, reason)

    def _refused(self, actions: Sequence[Action], error: ApiError) -> list[Outcome]:
        """Return the outcomes of a request that was refused as a whole; raises the error where no row is to blame."""
        status, (kind, reason) = error.meta.status, cause(error.body)
        if status in _PUTS_OFF:
            put_off = Deferred(f"{kind}: {reason}" if kind else f"status {status}", retry_after(error))
            return [self._never_fits(action, status, kind) or put_off for action in actions]
        if status == 500 and len(actions) == 1:
            return [classify(actions[0].operation, status, kind, reason)]
        if status not in _BLAMES_A_ROW or kind in NOT_OF_A_ROW:
            # Not in halves after a 500 either, though a row may be to blame: it does not say that nothing was applied,
            # so that writes might be sent again as they are; and a server in trouble would get thousands of requests.
            raise error
        if len(actions) > 1:
            middle = len(actions) // 2
            return self._send(actions[:middle]) + self._send(actions[middle:])
        (action,) = actions
        if status == 413:
            return [Rejected("document_too_large", f"the server refuses a request of {action.size} bytes")]
        return [classify(action.operation, status, kind, reason)]

    def _never_fits(self, action: Action, status: int, kind: str) -> Rejected | None:
        """Return a rejection where the server says "not now" to a document that it has not the memory for, ever."""
        if status != 429 or kind != "es_rejected_execution_exception":
            return None
        longest = self._limits.pressure
        return _too_large(action, longest) if longest is not None and action.size > longest else None


def _lines(action: Any) -> Any:
    return action.header, action.body


def _too_large(action: Action, longest: int) -> Rejected:
    return Rejected("document_too_large", f"{action.size} bytes, and the server takes {longest} at most")
