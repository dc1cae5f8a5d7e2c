"""Static models: a vector for each token, and their mean for a text; no network to run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from syncer.adapters.embedding.text import cut, readable, room_in
from syncer.adapters.embedding.vector import UNSCALED, all_of, rows
from syncer.core.error import ConfigurationError
from syncer.core.outcome import Rejected
from syncer.core.piece import pieces
from syncer.core.vector import Chunks, Embedded, Split

if TYPE_CHECKING:
    from model2vec import StaticModel


class StaticEmbedder:
    """Implements `Embedder` with a model2vec model; loaded when first used, for that takes no time."""

    def __init__(
        self,
        model: str,
        *,
        query: str = "",
        passage: str = "",
        normalise: bool = True,
        setting: str = "embedding.model",
    ) -> None:
        """model: a name on the hub, or a folder. query, passage: what to put before the texts. normalise: scale vectors
        to length one."""
        self._name = model
        self._query, self._passage = query, passage
        self._normalise = normalise
        self._setting = setting
        self._lock = Lock()

    @cached_property
    def fingerprint(self) -> str:
        of = self.description
        scaled = "" if self._normalise else UNSCALED
        return "/".join(["static", of["revision"], f"{self.dims}{scaled}", *([self._passage] if self._passage else [])])

    @cached_property
    def description(self) -> Mapping[str, str]:
        """What tells its vectors from those of another."""
        told = {
            "model": "a folder" if Path(self._name).is_dir() else self._name,
            "revision": self._revision(),
            "backend": "static",
        }
        if self._passage:
            told["prompt"] = self._passage
        return told if self._normalise else {**told, "normalise": "false"}

    @cached_property
    def dims(self) -> int:
        return int(self._model.dim)

    def load(self) -> None:
        """Load the model now. Raises ConfigurationError where that cannot be done."""
        _ = self._model

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Return vectors, or rejections. Raises ConfigurationError where the model cannot be loaded."""
        vectors = rows(self._encode(texts, self._passage), self.dims, named=f"{self._setting}: {self._name!r}")
        return Embedded(vectors, cut(texts))

    def split(self, texts: Sequence[str], chunks: Chunks) -> Split:
        """Return the texts in pieces by the model's own tokens; see `Embedder`."""
        # What the model is known by is made of the tokenizer as it was loaded.
        _, tokenizer = self.description, self._model.tokenizer
        with self._lock:
            tokenizer.no_truncation()

            def starts(text: str) -> Sequence[int]:
                return [start for start, _ in tokenizer.encode(text, add_special_tokens=False).offsets]

            around = len(starts(self._passage))
            room = room_in(chunks, around=around, window=None, named=f"the model {self._name!r}")
            given = map(readable, texts)
            return Split([pieces(text, starts(text), room, chunks.overlap) for text in given], cut(texts))

    def embed_query(self, text: str) -> bytes:
        """Return the vector to search with."""
        return all_of(self.embed_queries([text]))[0]

    def embed_queries(self, texts: Sequence[str]) -> Sequence[bytes | Rejected]:
        """Return the vectors to search with; see `Model`."""
        return rows(self._encode(texts, self._query), self.dims, named=f"{self._setting}: {self._name!r}")

    def _encode(self, texts: Sequence[str], prompt: str) -> Any:
        model = self._model
        with self._lock:
            # No max_length: there is no window, and the mean of a whole text says more than that of its beginning.
            vectors = model.encode([readable(prompt + text) for text in texts], max_length=None)
        import numpy

        if not self._normalise:
            return vectors.astype("<f4")
        # Here, not by the model: its numbers may be of half precision.
        vectors = vectors.astype("<f4")
        lengths = numpy.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / numpy.where(lengths == 0, 1, lengths)

    @cached_property
    def _model(self) -> StaticModel:
        try:
            from model2vec import StaticModel
        except ImportError as error:
            raise ConfigurationError(
                "embedding.backend is static, but model2vec is not installed", hint='pip install "syncer[static]"'
            ) from error
        try:
            return StaticModel.from_pretrained(self._name)
        except Exception as error:  # whatever a loader or a hub raises, it is this setting that is wrong
            raise ConfigurationError(
                f"{self._setting}: cannot load the static model {self._name!r}: {str(error).strip()[:300]}",
                hint="give the name of a model2vec model, or a folder that holds one; "
                "without a way to the hub (HF_HUB_OFFLINE) it must be in the local cache",
            ) from error

    def _revision(self) -> str:
        """Return a digest of what was loaded: a model of some megabytes is loaded as soon as its files are found."""
        model, whole = self._model, hashlib.sha256()
        for part in (model.embedding, model.weights, model.token_mapping):
            whole.update(b"" if part is None else part.tobytes())
        whole.update(model.tokenizer.to_str().encode())
        return whole.hexdigest()[:16]
