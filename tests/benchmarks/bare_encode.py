"""A bare `encode`, in a process of its own: python -m tests.benchmarks.bare_encode MODEL TEXTS.json BATCH…"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

# As in syncer: read when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from sentence_transformers import SentenceTransformer


def main(name: str, texts_file: str, *batches: str) -> None:
    """Print the seconds by batch size, and the peak of memory in MiB."""
    # The library sorts by length too; sorted beforehand, it is not left to its version.
    texts = sorted(json.loads(Path(texts_file).read_text()), key=len, reverse=True)
    model = SentenceTransformer(name)
    model.encode(texts[:64], show_progress_bar=False)
    seconds = {}
    for batch in map(int, batches):
        started = time.monotonic()
        model.encode(texts, batch_size=batch, normalize_embeddings=True, show_progress_bar=False)
        seconds[batch] = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
