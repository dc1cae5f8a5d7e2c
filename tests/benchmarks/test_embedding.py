"""First load with an embedding, beside one bare `encode` of the same texts that writes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.acceptance.installation import Installation, Running
from tests.benchmarks.measure import MINILM, fill_documentation

pytestmark = pytest.mark.benchmark

ROWS = int(os.environ.get("SYNCER_BENCH_EMBEDDING_ROWS", "3000"))
BATCHES = (16, 32, 64, 128)
DEADLINE_SECONDS = 3600.0


def test_embedding_load_beside_a_bare_encode(installation: Installation, machine: str) -> None:
    """The rate of syncer over that of the best batch size, without loading the model on either side."""
    texts = fill_documentation(installation, ROWS)
    bare = _bare_encode(installation.directory / "texts.json", texts)
    best = min(bare["seconds"], key=lambda batch: bare["seconds"][batch])
    for batch, seconds in bare["seconds"].items():
        print(f"\nbare encode, batches of {batch}: {seconds:.1f} s ({ROWS / seconds:,.1f} texts/s)", end="")
    # A daemon loads its model before it begins; `run --once` when the first text needs it.
    with installation.running("run", installation.alias) as daemon:
        peak = _peak_until_loaded(daemon)
        written, ready = _seconds_to_load(daemon)
    print(
        f"\nsyncer: {written:.1f} s until all is written ({ROWS / written:,.1f} rows/s), {ready:.1f} s with the graph"
    )
    print(
        f"ratio to batches of {best}: {bare['seconds'][best] / written:.2f}, "
        f"with the graph {bare['seconds'][best] / ready:.2f}"
    )
    print(f"RSS peak: syncer {peak:.0f} MiB, bare encode {bare['peak']:.0f} MiB")
    print(f"({ROWS:,} rows, {sum(map(len, texts)) / ROWS:.0f} characters; {machine})")


def _bare_encode(path: Path, texts: Sequence[str]) -> Mapping[str, Any]:
    path.write_text(json.dumps(texts))
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bare_encode", MINILM, str(path), *map(str, BATCHES)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


def _peak_until_loaded(daemon: Running) -> float:
    """Return the peak of resident memory in MiB."""
    watched, peak = psutil.Process(daemon.process.pid), 0
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not daemon.saw("loaded"):
        assert daemon.process.poll() is None, daemon.log.read_text()[-2000:]
        assert time.monotonic() < deadline
        peak = max(peak, watched.memory_info().rss)
        time.sleep(0.1)
    return peak / 2**20


def _seconds_to_load(daemon: Running) -> tuple[float, float]:
    """Return the seconds from the first line of the load, before its first read, to its last and to the end."""
    lines = [(event, datetime.fromisoformat(event["timestamp"])) for event in daemon.events()]
    loading = [at for event, at in lines if event["event"] == "loading"]
    first = next(event for event, _ in lines if event["event"] == "loading")
    assert first["rows"] == 0
    (loaded,) = [at for event, at in lines if event["event"] == "loaded"]
    return (loading[-1] - loading[0]).total_seconds(), (loaded - loading[0]).total_seconds()
