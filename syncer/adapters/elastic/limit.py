"""How large a document a server takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elastic_transport import ApiError
from elasticsearch import Elasticsearch

from syncer.adapters.elastic.error import translate_errors

#: The server's own default of `http.max_content_length`.
_CONTENT_BYTES_DEFAULT = 100 * 2**20

#: What a document takes of the indexing pressure limit, in its own size, on a server of its own: once for the request,
#: four times for the largest document of a shard's part of it. (Measured on 9.4; less on earlier ones.)
_PRESSURE_FACTOR = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """The least limits of all nodes, in bytes."""

    #: A longer request is refused with 413.
    request: int
    #: A longer document is refused with 429 for ever, where it is refused with that at all.
    pressure: int | None


def read_limits(client: Elasticsearch) -> Limits:
    """Return the server's limits; its defaults where this user may not read them. Raises SinkUnavailable."""
    with translate_errors():
        try:
            http = client.nodes.info(metric="http", filter_path="nodes.*.http.max_content_length_in_bytes").body
            load = client.nodes.stats(
                metric="indexing_pressure", filter_path="nodes.*.indexing_pressure.memory.limit_in_bytes"
            ).body
        except ApiError as error:
            if error.meta.status in {429, 502, 503, 504}:
                raise
            return Limits(_CONTENT_BYTES_DEFAULT, None)
    pressure = _least(load, "indexing_pressure", "memory", "limit_in_bytes")
    return Limits(
        _least(http, "http", "max_content_length_in_bytes") or _CONTENT_BYTES_DEFAULT,
        pressure // _PRESSURE_FACTOR if pressure else None,
    )


def _least(answer: Mapping[str, Any], *path: str) -> int | None:
    """Return the least number found below each node at this path; 0 and nothing mean no limit."""
    found = []
    for value in answer.get("nodes", {}).values():
        for name in path:
            value = value.get(name, {})
        if isinstance(value, int) and value > 0:
            found.append(value)
    return min(found, default=None)
