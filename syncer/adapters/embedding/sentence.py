"""sentence-transformers on torch."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncer.core.error import ConfigurationError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: Texts in one forward pass. Larger ones waste memory on padding without gain on a CPU.
_PASS_TEXTS = 32


class SentenceEmbedder:
    """A sentence-transformers model, loaded when first used, one `encode` at a time."""

    def __init__(self, model: str, *, backend: str = "torch", setting: str = "embedding.model") -> None:
        """model: a name on the hub, or a folder. setting: what the configuration calls it, for messages."""
        self._name = model
        self._backend = backend
        self._setting = setting
        self._lock = threading.Lock()

    @cached_property
    def fingerprint(self) -> str:
        # Not the model's name: a folder that is moved holds the same model.
        of = self.description
        return f"sentence-transformers/{of['backend']}/{of['revision']}/{of['quantisation']}/{self.dims}"

    @cached_property
    def description(self) -> Mapping[str, str]:
        """What tells its vectors from those of another: model, revision, backend and quantisation."""
        return {
            "model": "a folder" if Path(self._name).is_dir() else self._name,
            "revision": self._revision(),
            "backend": self._backend,
            # Of the weights; vectors are always float32.
            "quantisation": str(next(self._model.parameters()).dtype).removeprefix("torch."),
        }

    @property
    def dims(self) -> int:
        dims = self._model.get_embedding_dimension()
        assert dims is not None
        return int(dims)

    def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        """Return unit vectors; texts longer than the model's window are cut there."""
        with self._lock:
            # encode() orders by length itself, so that texts of one pass need little padding.
            vectors = self._model.encode(
                list(texts), batch_size=_PASS_TEXTS, normalize_embeddings=True, show_progress_bar=False
            )
        return [row.astype("<f4").tobytes() for row in vectors]

    @cached_property
    def _model(self) -> SentenceTransformer:
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging

            logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # it is untyped
        except ImportError as error:
            raise ConfigurationError(
                f"{self._setting} is set, but sentence-transformers is not installed",
                hint='pip install "syncer[embedding]"',
            ) from error
        options: dict[str, Any] = {"backend": self._backend}
        try:
            return SentenceTransformer(self._name, **options)
        except Exception as error:  # whatever a loader or a hub raises, it is this setting that is wrong
            raise ConfigurationError(
                f"{self._setting}: cannot load the model {self._name!r}: {_first_line(error)}",
                hint="give the name of a sentence-transformers model, or a folder that holds one; "
                "without a way to the hub (HF_HUB_OFFLINE) it must be in the local cache",
            ) from error

    def _revision(self) -> str:
        """Return what tells this model's weights from others.

        Of a folder a digest of its files; of a model on the hub a digest of the weights. Not the hub's commit: whether
        it can be known depends on the version of transformers, and on where the hub's files are cached.
        """
        folder = Path(self._name)
        digest = hashlib.sha256()
        if folder.is_dir():
            for path in sorted(folder.rglob("*")):
                if path.suffix in {".json", ".safetensors", ".bin", ".txt"}:
                    digest.update(f"{path.relative_to(folder)}:{os.path.getsize(path)}".encode())
                    with path.open("rb") as file:
                        digest.update(hashlib.file_digest(file, "sha256").digest())
        else:
            # Versions of the library order them differently. float32 holds every value of the shorter types.
            weights = (weight.detach().float().cpu().numpy().tobytes() for weight in self._model.parameters())
            for one in sorted(hashlib.sha256(weight).digest() for weight in weights):
                digest.update(one)
        return digest.hexdigest()[:16]


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
