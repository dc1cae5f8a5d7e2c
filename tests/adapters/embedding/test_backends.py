"""What every backend that runs here does with a text."""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
import struct
from pathlib import Path

import pytest

from syncer.adapters.embedding.sentence import SentenceEmbedder
from syncer.core.error import ConfigurationError, FatalError
from syncer.core.outcome import Rejected
from tests.adapters.embedding.conftest import DIMS, POISON

TEXTS = ["a text", "another text, and a longer one", "a third"]
NEEDED = {"torch": "torch", "onnx": "onnxscript", "openvino": "openvino"}

BACKENDS = [
    pytest.param(
        backend,
        quantisation,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(NEEDED[backend]) is None, reason=f"{backend} is not installed"
        ),
    )
    for backend, quantisation in [
        ("torch", "float32"),
        ("torch", "bfloat16"),
        ("onnx", "float32"),
        ("onnx", "int8"),
        ("openvino", "float32"),
        ("openvino", "bfloat16"),
        ("openvino", "int8"),
    ]
]


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where models are kept that were converted."""
    return tmp_path_factory.mktemp("converted")


def cosine(one: bytes | Rejected, other: bytes | Rejected) -> float:
    assert isinstance(one, bytes)
    assert isinstance(other, bytes)
    form = f"<{DIMS}f"
    return math.fsum(a * b for a, b in zip(struct.unpack(form, one), struct.unpack(form, other), strict=True))


@pytest.mark.parametrize(("backend", "quantisation"), BACKENDS)
def test_backends_make_nearly_the_same_vectors(backend: str, quantisation: str, tiny: Path, converted: Path) -> None:
    """But each has a name of its own, for an index holds those of one."""
    reference = SentenceEmbedder(str(tiny))
    embedder = SentenceEmbedder(str(tiny), backend=backend, quantisation=quantisation, converted=converted)
    cosines = [
        cosine(*pair) for pair in zip(embedder.embed(TEXTS).vectors, reference.embed(TEXTS).vectors, strict=True)
    ]
    assert min(cosines) > (0.98 if quantisation == "int8" else 0.999)
    same = (backend, quantisation) == ("torch", "float32")
    assert (embedder.fingerprint == reference.fingerprint) is same
    assert (embedder.embed(TEXTS).vectors == reference.embed(TEXTS).vectors) is same


@pytest.mark.parametrize(("backend", "quantisation"), BACKENDS)
def test_a_text_that_cannot_be_embedded_is_told(backend: str, quantisation: str, tiny: Path, converted: Path) -> None:
    """The others of its batch have their vectors."""
    embedder = SentenceEmbedder(str(tiny), backend=backend, quantisation=quantisation, converted=converted)
    odd = ["", " \n", "a\0b", "half a pair: \ud83d", "long " * 1_000_000]
    embedded = embedder.embed([*TEXTS, *odd, f"a {POISON}"])
    results = embedded.vectors
    assert [isinstance(result, bytes) for result in results] == [True] * 8 + [False]
    assert results[8] == Rejected("no_vector", "the model made a vector of its text that holds NaN or infinity")
    assert embedded.truncated == 1
    with pytest.raises(FatalError, match="NaN"):
        embedder.embed_query(POISON)


@pytest.mark.parametrize(("backend", "quantisation"), BACKENDS[2:])
def test_a_model_is_converted_once(
    backend: str, quantisation: str, tiny: Path, converted: Path, tmp_path: Path
) -> None:
    """Whoever needs it next reads it; a broken file is told, and not converted again over it."""

    def load(folder: Path) -> None:
        SentenceEmbedder(str(tiny), backend=backend, quantisation=quantisation, converted=folder).load()

    load(converted)
    (folder,) = converted.glob(f"{backend}-{quantisation}-*")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    load(converted)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    shutil.copytree(folder, tmp_path / folder.name)
    for path in (tmp_path / folder.name).iterdir():
        path.write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"embedding\.backend: .*does not run(.|\n)*remove"):
        load(tmp_path)


def test_prompts_are_those_of_the_model_unless_others_are_given(tiny: Path, tmp_path: Path) -> None:
    """That of passages is in the fingerprint, that of queries is not: no vector of the index has it."""
    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    file = folder / "config_sentence_transformers.json"
    prompts = {"query": "query: ", "passage": "passage: "}
    file.write_text(json.dumps({**json.loads(file.read_text()), "prompts": prompts, "default_prompt_name": None}))
    own = SentenceEmbedder(str(folder))
    bare = SentenceEmbedder(str(folder), query="", passage="")
    other = SentenceEmbedder(str(folder), query="q: ", passage="p: ")
    assert own.embed(["a text"]).vectors == bare.embed(["passage: a text"]).vectors
    assert own.embed_query("a text") == bare.embed(["query: a text"]).vectors[0]
    assert other.embed(["a text"]).vectors == bare.embed(["p: a text"]).vectors
    assert other.embed_query("a text") == bare.embed_query("q: a text")
    assert own.description["prompt"] == "passage: "
    assert "prompt" not in bare.description
    assert len({own.fingerprint, bare.fingerprint, other.fingerprint}) == 3
    assert SentenceEmbedder(str(folder), query="q: ").fingerprint == own.fingerprint


def test_long_texts_do_not_change_short_ones(tiny: Path) -> None:
    """Whatever passes they go in; the vectors stand in the order of the texts."""
    embedder = SentenceEmbedder(str(tiny))
    texts = [f"{'many words ' * length}{length}" for length in (1, 300, 2, 100, 3)]
    embedded = embedder.embed(texts)
    for text, vector in zip(texts, embedded.vectors, strict=True):
        assert cosine(vector, embedder.embed([text]).vectors[0]) == pytest.approx(1, abs=1e-5)
    assert embedded.truncated == 1
    assert [min(count, 250) for count in embedder.tokens(texts)] == [5, 250, 7, 203, 9]
