"""What of a cluster's answers becomes of a look."""

from __future__ import annotations

from typing import Any

import pytest
from elasticsearch import Elasticsearch

from syncer.adapters.elastic.cluster import ElasticCluster
from syncer.core.cluster import Watermark, Watermarks
from tests.adapters.elastic.scripted import Answer, Request, scripted

#: As Elasticsearch 9.4 tells them.
DEFAULTS = {
    "threshold_enabled": "true",
    "watermark": {
        "flood_stage.frozen": "95%",
        "flood_stage": "95%",
        "flood_stage.max_headroom": "100GB",
        "high": "90%",
        "high.max_headroom": "150GB",
        "low": "85%",
        "low.max_headroom": "200GB",
    },
}


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, ("85%/200GB", "90%/150GB", "95%/100GB")),
        ({"watermark": {"low": "50gb", "high.max_headroom": "-1"}}, ("50gb/200GB", "90%/-1", "95%/100GB")),
        ({"threshold_enabled": "false"}, ()),
    ],
)
def test_the_watermarks_that_hold_are_told(changed: dict[str, Any], found: tuple[str, ...]) -> None:
    """What is set goes before the defaults; a cluster that does nothing about disks has none."""

    def answer(request: Request) -> Answer:
        settings = {
            kind: {"cluster": {"routing": {"allocation": {"disk": disk}}}}
            for kind, disk in (("persistent", changed), ("defaults", DEFAULTS))
        }
        return Answer(200, settings if "settings" in request.path else {})

    with scripted(answer) as url, Elasticsearch(url) as client:
        look = ElasticCluster(client, {}).look(0.0)
    assert look.watermarks == Watermarks(*(Watermark(*mark.split("/")) for mark in found))
