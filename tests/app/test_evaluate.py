"""`syncer eval` on a tiny collection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.embedding.conftest import MINILM
from tests.app.deployment import Deployment

QUERIES = {"fruit": "cherry", "vehicle": "automobile", "open": "green"}
#: Nobody asks the last one.
QRELS = "fruit\t3\t1\nvehicle\t4\t1\nopen\t2\t0\nnobody\t1\t1\n"


@pytest.fixture
def loaded(deployment: Deployment) -> Deployment:
    """An index with vectors, and files beside its configuration."""
    deployment.sql(
        "INSERT INTO articles (id, title) VALUES (1, 'red apple'), (2, 'green pear'), (3, 'red cherry'), (4, 'a car')"
    )
    deployment.configure(model=str(MINILM), fields={"title": "text"}, embedding={"text": "{title}"})
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("run", "--once")[0] == 0
    lines = (json.dumps({"id": id_, "text": text}) + "\n" for id_, text in QUERIES.items())
    (deployment.folder / "queries.jsonl").write_text("".join(lines))
    (deployment.folder / "qrels.tsv").write_text(QRELS)
    return deployment


def files(deployment: Deployment) -> list[str]:
    return ["--queries", str(deployment.folder / "queries.jsonl"), "--qrels", str(deployment.folder / "qrels.tsv")]


def of(mode: str, figure: float, **settings: str) -> dict[str, Any]:
    """Return the figures of a search that has the relevant document first, or not at all."""
    return {"mode": mode, "settings": settings, "ndcg@10": figure, "recall@100": figure, "mrr@10": figure}


def test_each_mode_is_measured(loaded: Deployment) -> None:
    """No document has the word "automobile": only its meaning finds the car. What cannot be measured is counted."""
    code, document = loaded.json("eval", "articles", *files(loaded))
    assert code == 0
    searches = document.pop("searches")
    assert document == {
        "pipeline": "articles",
        "queries": 2,
        "judgements": 2,
        "queries_without_judgements": 1,
        "judgements_without_query": 1,
    }
    (keyword, vector, hybrid) = searches
    assert keyword == of("keyword", 0.5)
    assert vector == of("vector", 1.0)
    assert hybrid == of("hybrid", 1.0)


def test_settings_are_compared(loaded: Deployment) -> None:
    """Beside the modes as they are; a ranking that weighs nothing decides nothing."""
    code, document = loaded.json("eval", "articles", *files(loaded), "--compare", "k=1,60", "--compare", "window=1")
    assert code == 0
    assert document["searches"][3:] == [of("hybrid", 1.0, k="1", window="1"), of("hybrid", 1.0, k="60", window="1")]


def test_the_table_names_what_was_left_out(loaded: Deployment) -> None:
    """A line for each search."""
    code, out, _ = loaded.run("eval", "articles", *files(loaded), "--compare", "k=1")
    assert code == 0
    title, header, *lines = out.splitlines()
    assert title == ("articles: 2 queries, 1 without a relevant document left out, 1 judged without a text left out")
    assert header.split() == ["mode", "settings", "nDCG@10", "recall@100", "MRR@10"]
    assert [line.split() for line in lines] == [
        ["keyword", "0.5000", "0.5000", "0.5000"],
        ["vector", "1.0000", "1.0000", "1.0000"],
        ["hybrid", "1.0000", "1.0000", "1.0000"],
        ["hybrid", "k=1", "1.0000", "1.0000", "1.0000"],
    ]


def test_a_pipeline_without_embedding_is_searched_by_words_alone(loaded: Deployment) -> None:
    """There is nothing else to measure."""
    loaded.configure(fields={"title": "text"})
    code, document = loaded.json("eval", "articles", *files(loaded))
    assert (code, document["searches"]) == (0, [of("keyword", 0.5)])


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("queries.jsonl", '{"id": "fruit", "text": "cherry"}\ncherry\n', "queries.jsonl:2: not JSON"),
        ("qrels.tsv", "fruit\t3\t1\nfruit 3\n", "qrels.tsv:2: a judgement is"),
        ("qrels.tsv", "", "no query of"),
        ("qrels.tsv", "fruit\t3\t0\n", "no query of"),
        ("qrels.tsv", "fruit\tcherry.html\t1\n", "is there one with 'cherry.html'?"),
        ("qrels.tsv", "\udcff", "--qrels: cannot read"),
    ],
)
def test_files_that_cannot_be_used_are_told(loaded: Deployment, file: str, text: str, said: str) -> None:
    """With the line where there is one, and nothing on standard output."""
    (loaded.folder / file).write_text(text, encoding="utf-8", errors="surrogateescape")
    code, out, err = loaded.run("eval", "articles", *files(loaded))
    assert (code, out) == (2, "")
    assert said in err


def test_a_file_that_is_not_there_is_told(deployment: Deployment, tmp_path: Path) -> None:
    """By the option that names it, before anything is connected to."""
    deployment.configure(source={"url": "postgresql://127.0.0.1:1/none"})
    code, _, err = deployment.run("eval", "articles", "--queries", str(tmp_path / "none"), "--qrels", str(tmp_path))
    assert code == 2
    assert "--queries: cannot read" in err
