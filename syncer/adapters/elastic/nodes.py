"""The nodes of a cluster."""

from __future__ import annotations

from elasticsearch import Elasticsearch

from syncer.adapters.elastic.error import translate_errors


def data_nodes(client: Elasticsearch) -> int:
    """Return how many nodes hold shards."""
    with translate_errors():
        return int(client.cluster.health().body["number_of_data_nodes"])
