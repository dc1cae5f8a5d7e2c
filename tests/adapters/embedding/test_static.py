"""Static models, of random vectors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from syncer.adapters.embedding.static import StaticEmbedder
from syncer.adapters.embedding.vector import all_of
from syncer.core.error import ConfigurationError
from syncer.core.outcome import Rejected
from syncer.core.vector import Chunks
from tests.adapters.embedding.conftest import MINILM, POISON

pytest.importorskip("model2vec")
DIMS = 8


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model(tmp_path_factory.mktemp("static"))


def model(folder: Path, seed: int = 1) -> Path:
    import numpy
    from model2vec import StaticModel
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(MINILM / "tokenizer.json"))
    vectors = numpy.random.default_rng(seed).normal(size=(tokenizer.get_vocab_size(), DIMS)).astype("float16")
    vectors[tokenizer.token_to_id(POISON)] = numpy.nan
    StaticModel(vectors, tokenizer).save_pretrained(folder)
    return folder


def test_vectors_are_of_length_one(folder: Path) -> None:
    """Though the model's are not, nor of full precision; prompts come first."""
    import numpy

    embedder = StaticEmbedder(str(folder), query="query: ", passage="passage: ")
    bare = StaticEmbedder(str(folder))
    vectors = [numpy.frombuffer(vector, "<f4") for vector in all_of(embedder.embed(["a text", "another"]).vectors)]
    assert [len(vector) for vector in vectors] == [DIMS, DIMS]
    assert [float(numpy.linalg.norm(vector)) for vector in vectors] == pytest.approx([1, 1], abs=1e-6)
    assert embedder.embed(["a text"]).vectors == bare.embed(["passage: a text"]).vectors
    assert embedder.embed_query("a text") == bare.embed(["query: a text"]).vectors[0]


def test_a_static_model_is_known_by_its_vectors(folder: Path, tmp_path: Path) -> None:
    """Wherever it lies; another one of the same words is another one, and so is one with a prompt."""
    known = StaticEmbedder(str(folder))
    assert known.description["model"] == "a folder"
    assert StaticEmbedder(str(model(tmp_path / "same"))).fingerprint == known.fingerprint
    assert StaticEmbedder(str(model(tmp_path / "other", seed=2))).fingerprint != known.fingerprint
    assert StaticEmbedder(str(folder), passage="p: ").fingerprint != known.fingerprint
    assert StaticEmbedder(str(folder), query="q: ").fingerprint == known.fingerprint


def test_a_text_without_words_has_no_vector(folder: Path) -> None:
    """Nor has one with a broken word; the others of the batch do."""
    texts = ["a text", "", " \n", "a\0b", "half a pair: \ud83d", "long " * 1_000_000, f"a {POISON}"]
    results = StaticEmbedder(str(folder)).embed(texts).vectors
    assert [isinstance(result, bytes) for result in results] == [True, False, False, True, True, True, False]
    assert isinstance(results[1], Rejected)
    assert "is zero" in results[1].reason
    assert isinstance(results[6], Rejected)
    assert "NaN" in results[6].reason


def test_a_static_model_that_is_nowhere_is_a_wrong_setting(tmp_path: Path) -> None:
    """A folder without a model is."""
    with pytest.raises(ConfigurationError, match=r"^embedding\.model: cannot load the static model"):
        StaticEmbedder(str(tmp_path)).load()


def test_a_static_model_is_the_same_before_and_after_it_has_cut_texts(folder: Path, tmp_path: Path) -> None:
    """For which its tokenizer has to read them to their end, whatever its file says."""
    shutil.copytree(folder, tmp_path / "model")
    file = tmp_path / "model" / "tokenizer.json"
    bound = {"direction": "Right", "max_length": 512, "strategy": "LongestFirst", "stride": 0}
    file.write_text(json.dumps({**json.loads(file.read_text()), "truncation": bound}))
    before, after = StaticEmbedder(str(file.parent)), StaticEmbedder(str(file.parent))
    (pieces,) = after.split(["word " * 1000], Chunks(256, 0)).pieces
    assert len(pieces) == 4
    assert after.fingerprint == before.fingerprint
