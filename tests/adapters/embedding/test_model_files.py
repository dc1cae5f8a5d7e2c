"""What is told of a model without the library that loads it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from syncer.adapters.embedding.model_files import model_files

MEAN = {"word_embedding_dimension": 8, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}


def model(folder: Path, *modules: tuple[str, Mapping[str, Any]], **files: str) -> Path:
    """Write a model of a transformer and other modules, by type and configuration; files: by name, a dot as `__`."""
    kinds: Sequence[tuple[str, Mapping[str, Any]]] = [("sentence_transformers.models.Transformer", {}), *modules]
    listed = []
    for number, (kind, config) in enumerate(kinds):
        path = f"{number}_{kind.split('.')[-1]}" if number else ""
        (folder / path).mkdir(parents=True, exist_ok=True)
        (folder / path / "config.json").write_text(json.dumps(config))
        (folder / path / "model.safetensors").write_bytes(kind.encode())
        listed.append({"idx": number, "name": str(number), "path": path, "type": kind})
    (folder / "modules.json").write_text(json.dumps(listed))
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def dims(folder: Path) -> int | None:
    files = model_files(folder)
    return files.dims if files else None


@pytest.mark.parametrize(
    ("modules", "length"),
    [
        ([("sentence_transformers.models.Pooling", MEAN)], 8),
        ([("sentence_transformers.models.Pooling", {**MEAN, "pooling_mode_cls_token": True})], 16),
        ([("sentence_transformers.models.Pooling", {"word_embedding_dimension": 8})], 8),
        (
            [
                (
                    "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
                    {"embedding_dimension": 8, "pooling_mode": "lasttoken"},
                )
            ],
            8,
        ),
        (
            [
                ("sentence_transformers.models.Pooling", {"embedding_dimension": 8, "pooling_mode": ["cls", "max"]}),
                ("sentence_transformers.models.Normalize", {}),
            ],
            16,
        ),
        (
            [
                ("sentence_transformers.models.Pooling", MEAN),
                ("sentence_transformers.base.modules.dense.Dense", {"in_features": 8, "out_features": 5}),
                ("sentence_transformers.models.Dropout", {}),
            ],
            5,
        ),
        (
            [
                ("sentence_transformers.models.Pooling", MEAN),
                ("sentence_transformers.models.LayerNorm", {"dimension": 8}),
            ],
            8,
        ),
    ],
)
def test_the_last_module_that_changes_the_dimensions_tells_them(
    modules: Sequence[tuple[str, Mapping[str, Any]]], length: int, tmp_path: Path
) -> None:
    """As old and new versions of the library write them."""
    assert dims(model(tmp_path, *modules)) == length


def test_a_model_that_cuts_its_vectors_says_so(tmp_path: Path) -> None:
    """Where it is shorter than what the modules put out."""
    pooling = ("sentence_transformers.models.Pooling", MEAN)
    cut = model(tmp_path / "cut", pooling, config_sentence_transformers__json='{"truncate_dim": 4}')
    whole = model(tmp_path / "whole", pooling, config_sentence_transformers__json='{"truncate_dim": null}')
    assert (dims(cut), dims(whole)) == (4, 8)


@pytest.mark.parametrize(
    ("modules", "files"),
    [
        ([("sentence_transformers.models.Pooling", MEAN)], {"modules__json": "{"}),
        ([("sentence_transformers.models.Pooling", MEAN)], {"modules__json": "[1]"}),
        (
            [("sentence_transformers.models.Pooling", MEAN)],
            {"config_sentence_transformers__json": '{"model_type": "SparseEncoder"}'},
        ),
        ([("sentence_transformers.models.Pooling", {"pooling_mode": "mean"})], {}),
        ([("sentence_transformers.models.CNN", {}), ("sentence_transformers.models.Pooling", MEAN)], {}),
        ([("their_code.Pooling", MEAN)], {}),
        ([], {}),
    ],
)
def test_what_only_the_library_knows_is_not_guessed(
    modules: Sequence[tuple[str, Mapping[str, Any]]], files: Mapping[str, str], tmp_path: Path
) -> None:
    """Broken files, models of other kinds, and modules whose dimensions or weights are not told."""
    assert model_files(model(tmp_path, *modules, **files)) is None


def test_what_decides_on_vectors_makes_the_digest(tmp_path: Path) -> None:
    """Weights of the kind that the library prefers, and settings, of every module; and nothing beside them."""
    pooling = ("sentence_transformers.models.Pooling", MEAN)
    dense = ("sentence_transformers.models.Dense", {"out_features": 5})
    folder = model(tmp_path, pooling, dense)
    known = model_files(folder)
    assert known is not None
    before = known.digest()
    for other in ("README.md", "pytorch_model.bin", "1_Pooling/model.safetensors", "onnx.safetensors"):
        (folder / other).write_text("other")
    assert known.digest() == before
    (folder / "2_Dense" / "model.safetensors").write_text("other")
    assert known.digest() != before
    before = known.digest()
    (folder / "1_Pooling" / "config.json").write_text("other")
    assert known.digest() != before
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(MEAN))
    (folder / "model.safetensors").unlink()
    older = model_files(folder)
    assert older is not None
    assert older.weights[0] == folder / "pytorch_model.bin"


def test_weights_in_parts_are_there_when_all_parts_are(tmp_path: Path) -> None:
    """A download that was interrupted leaves some."""
    index = json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})
    pooling = ("sentence_transformers.models.Pooling", MEAN)
    folder = model(tmp_path, pooling, model__safetensors__index__json=index)
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    assert model_files(folder) is None
    (folder / "model-2.safetensors").write_text("b")
    whole = model_files(folder)
    assert whole is not None
    assert [part.name for part in whole.weights] == ["model-1.safetensors", "model-2.safetensors"]
