"""A search as a conversation with a server and a model, whoever holds it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from elastic_transport import ApiError, TransportError

from syncer.adapters.elastic.error import NOT_OF_A_ROW, cause, failure, translate
from syncer.core.error import RequestInvalid, SinkUnavailable, SyncerError

#: A 404 of a search that says something else is of its point in time.
_NO_INDEX = "index_not_found_exception"
_NO_SHARD = "no_shard_available_action_exception"

#: Of a refusal, that are passed on.
_SAID_CHARACTERS = 300

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Call:
    """Something to ask Elasticsearch; its answer is the body."""

    #: Of the client: `msearch`, `indices.get_mapping`.
    method: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Embed:
    """A text to make a vector of; its answer is the vector."""

    text: str


#: Yields what to ask, is sent the answer or thrown what `refused` makes of an error, and returns the result.
Conversation = Generator[Call | Embed, Any, _Result]


class Refused(SyncerError):
    """Elasticsearch does not take a request: never seen outside, for a conversation says which part of it."""

    def __init__(self, status: int, kind: str, reason: str) -> None:
        super().__init__(reason or kind)
        self.status = status
        self.kind = kind


class ShardsMissing(SinkUnavailable):
    """No copy of any shard can be searched for now; for a point in time also: ever, where its index is deleted."""


def refused(error: ApiError | TransportError) -> SyncerError:
    """Return what a conversation is told of an error of the client."""
    if isinstance(error, ApiError):
        kind, reason = cause(error.body)
        if error.meta.status == 400 and kind not in NOT_OF_A_ROW:
            return Refused(400, kind, reason)
    return translate(error)


def refused_search(answer: Mapping[str, Any]) -> SyncerError | None:
    """Return what is wrong with one answer of several, if something is.

    A search of which a part failed is not passed off as a whole one.
    """
    if "error" in answer:
        kind, reason = cause(answer)
        status = int(answer.get("status", 500))
        if (status == 400 and kind not in NOT_OF_A_ROW) or (status == 404 and kind != _NO_INDEX):
            return Refused(status, kind, reason)
        causes = answer["error"].get("root_cause") or () if isinstance(answer["error"], dict) else ()
        if any(each.get("type") == _NO_SHARD for each in causes):
            return ShardsMissing(f"elasticsearch: {reason or kind}: no shard can be searched")
        return failure(status, kind, reason)
    shards = answer.get("_shards", {})
    if shards.get("failed"):
        failures = shards.get("failures") or [{}]
        kind, reason = cause({"error": failures[0].get("reason")})
        # Of some indices only, as behind an alias of several; the status is that of the whole, 200.
        return failure(503, kind, f"{shards['failed']} of {shards['total']} shards failed: {reason or kind}")
    if answer.get("timed_out"):
        return failure(503, "timeout", "the search took too long")
    return None


def invalid(refusal: Refused, part: str) -> RequestInvalid:
    """Return the error of a request that Elasticsearch refuses for this part of it."""
    # It quotes what was asked, at any length, and cuts it between the halves of a character.
    said = refusal.message.encode("utf-8", "replace").decode()
    said = said if len(said) <= _SAID_CHARACTERS else said[:_SAID_CHARACTERS] + "…"
    return RequestInvalid(part, f"Elasticsearch refuses it: {said}")
