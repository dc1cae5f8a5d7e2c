"""Several embeddings and long texts, from the command line, on real servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.adapters.embedding.test_static import model
from tests.app.deployment import Deployment

WHOLE = {"text": "{price}"}
PIECES = {
    "text": "{title}",
    "field": "pieces",
    "similarity": "dot_product",
    "chunk": {"tokens": 32, "overlap": 0},
}
LAST = "Somewhere behind all of this a heron stands in the reeds."


@pytest.fixture
def long_texts(deployment: Deployment, tmp_path: Path) -> Deployment:
    """Three articles, one of which ends with what nobody would guess from its beginning."""
    pytest.importorskip("model2vec")
    deployment.sql(
        "INSERT INTO articles SELECT i, repeat('The committee met to discuss the budget. ', 20 * i), 'dear' "
        f"FROM generate_series(1, 3) AS i; UPDATE articles SET title = title || '{LAST}' WHERE id = 2"
    )
    model(tmp_path)
    configure(deployment, tmp_path, WHOLE)
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("run", "--once")[0] == 0
    return deployment


def configure(deployment: Deployment, folder: Path, *embeddings: dict[str, Any], **of_model: Any) -> None:
    given: Any = embeddings[0] if len(embeddings) == 1 else list(embeddings)
    deployment.configure(fields={"title": "text", "price": "keyword"}, embedding=given)
    file = deployment.folder / "syncer.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["embedding"] = {"model": str(folder), "backend": "static", **of_model}
    file.write_text(yaml.safe_dump(settings))


def test_a_further_embedding_in_pieces_is_added_found_and_verified(long_texts: Deployment, tmp_path: Path) -> None:
    """In the same index; cut in another way, it takes another one."""
    client, alias = long_texts.elastic.client, f"{long_texts.prefix}-articles"
    (index,) = client.indices.get_alias(name=alias)
    configure(long_texts, tmp_path, WHOLE, PIECES)
    assert long_texts.run("run", "--once")[0] == 0
    assert set(client.indices.get_alias(name=alias)) == {index}
    client.indices.refresh(index=index)
    hits = long_texts.json("search", "articles", LAST, "--mode", "vector")[1]["hits"]
    (best,) = (hit for hit in hits if hit["ranks"]["vector.pieces"] == 1)
    assert (best["id"], best["source"].keys()) == ("2", {"title", "price"})
    code, verified = long_texts.json("verify", "articles", "--deep")
    assert (code, verified["indexed"], verified["stale"]) == (0, 3, 0)
    configure(long_texts, tmp_path, WHOLE, {**PIECES, "chunk": {"tokens": 32, "overlap": 4}})
    code, _, said = long_texts.run("run", "--once")
    assert code == 4
    assert "embedding: further.pieces.chunk.overlap is 0, configured 4" in said


def test_pieces_that_a_prompt_leaves_no_room_in_are_found_by_check(long_texts: Deployment, tmp_path: Path) -> None:
    """By the daemon too, before it begins."""
    configure(long_texts, tmp_path, WHOLE, PIECES, prompts={"passage": "word " * 40})
    code, document = long_texts.json("check")
    findings = {one["setting"]: one["what"] for one in document["findings"] if one["severity"] == "error"}
    assert code == 2
    assert "prompt and special tokens" in findings["pipelines.articles.embedding[1].chunk.tokens"]
