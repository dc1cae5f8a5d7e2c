"""`syncer embed-bench` on the rows of a real table."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.adapters.elastic.scripted import Answer, Request, scripted
from tests.adapters.embedding.conftest import MINILM
from tests.app.deployment import Deployment


@pytest.fixture
def embedding(deployment: Deployment) -> Deployment:
    deployment.sql(
        "INSERT INTO articles (id, title) SELECT id, 'a title about ' || id % 30 FROM generate_series(1, 40) id"
    )
    deployment.configure(model=str(MINILM), fields={"title": "text"}, embedding={"text": "{title}"})
    return deployment


def test_what_can_run_the_model_is_measured(embedding: Deployment) -> None:
    """On distinct texts of the table; beside torch with float32, and writing nothing: there is no state to write to."""
    code, found = embedding.json("embed-bench", "--texts", "20", "--backend", "torch")
    assert (code, found["pipeline"], found["texts"], found["tokens"]) == (0, "articles", 20, 20 * 6)
    exact, rough = found["backends"]
    assert (exact["quantisation"], exact["neighbours"]) == ("float32", 1)
    assert exact["cosine_min"] == pytest.approx(1, abs=1e-4)
    assert rough["quantisation"] == "bfloat16"
    assert 0.99 < rough["cosine_min"] <= rough["cosine_mean"] < 1.0001
    assert exact["tokens_per_second"] == pytest.approx(6 * exact["texts_per_second"], rel=0.01)


def test_of_long_texts_the_pieces_are_measured(embedding: Deployment) -> None:
    """As the pipeline embeds them; whole, they would be cut off at the window."""
    embedding.sql("UPDATE articles SET title = title || repeat(' and so on', 500)")
    embedding.configure(
        model=str(MINILM),
        fields={"title": "text"},
        embedding={"text": "{title}", "chunk": {"tokens": 64, "overlap": 0}},
    )
    code, found = embedding.json("embed-bench", "--texts", "20", "--backend", "torch")
    assert (code, found["texts"]) == (0, 20)
    assert found["tokens"] <= 20 * 64


def test_a_server_is_measured_alone(embedding: Deployment) -> None:
    """Nobody else knows what it runs, so there is nothing to compare with."""
    file = embedding.folder / "syncer.yaml"
    settings = yaml.safe_load(file.read_text())

    def answer(request: Request) -> Answer:
        return Answer(200, [[1, 2, 3] for _ in json.loads(request.body)["inputs"]])

    with scripted(answer) as url:
        settings["embedding"] = {"model": "m", "backend": "http", "url": f"{url}/embed"}
        file.write_text(yaml.safe_dump(settings))
        code, found = embedding.json("embed-bench")
    assert (code, found["texts"], found["tokens"]) == (0, 30, None)
    (server,) = found["backends"]
    assert (server["backend"], server["cosine_mean"], server["error"]) == ("http", None, None)
    assert server["texts_per_second"] > 0


def test_a_pipeline_without_embedding_is_not_measured(embedding: Deployment) -> None:
    """That is a wrong call."""
    embedding.configure(fields={"title": "text"})
    code, _, err = embedding.run("embed-bench")
    assert code == 2
    assert "no pipeline has an embedding" in err
