"""Which version of Elasticsearch answers."""

from __future__ import annotations

from elastic_transport import ApiError
from elasticsearch import Elasticsearch

from syncer.adapters.elastic.error import translate_errors

#: Major and minor.
Version = tuple[int, int]


def server_version(client: Elasticsearch) -> Version:
    """Return the least version of all nodes, which says what a cluster understands whose nodes are upgraded in turns.

    (0, 0) where this user may not ask, or a node does not answer. Raises SinkUnavailable.
    """
    with translate_errors():
        try:
            # Not the version of the node that answers: a document goes on to the one that holds its shard.
            answer = client.nodes.info(metric="http", filter_path="_nodes.failed,nodes.*.version").body
        except ApiError as error:
            if error.meta.status in {429, 502, 503, 504}:
                raise
            return (0, 0)
    if answer.get("_nodes", {}).get("failed"):
        return (0, 0)
    return min((_parsed(node["version"]) for node in answer.get("nodes", {}).values()), default=(0, 0))


def _parsed(number: str) -> Version:
    major, minor, *_ = number.split(".")
    return int(major), int(minor)
