"""sentence-transformers on torch."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncer.adapters.embedding.model_files import ModelFiles, cached_folder, model_files
from syncer.core.error import ConfigurationError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: Texts in one forward pass. Larger ones waste memory on padding without gain on a CPU.
_PASS_TEXTS = 32


class SentenceEmbedder:
    """A sentence-transformers model, loaded when first used, one `encode` at a time.

    It is described by its files where these tell it, for importing torch takes seconds that most commands can do
    without. A model of the hub is the revision in the local cache, if there is one; else loading it downloads it.
    """

    def __init__(self, model: str, *, backend: str = "torch", setting: str = "embedding.model") -> None:
        """model: a name on the hub, or a folder. setting: what the configuration calls it, for messages."""
        self._name = model
        self._backend = backend
        self._setting = setting
        self._lock = threading.Lock()
        self._model: SentenceTransformer | None = None

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
            "revision": self._revision()[:16],
            "backend": self._backend,
            # Of the weights, whatever they are stored as: versions of transformers differ in what they make of that.
            "quantisation": "float32",
        }

    @cached_property
    def dims(self) -> int:
        files = self._files
        return files.dims if files else len(self._encode(["dimensions"])[0])

    def load(self) -> None:
        """Load the model now, and embed a text. Raises ConfigurationError where that is not the model described."""
        self.embed(["dimensions"])

    def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        """Return unit vectors; texts longer than the model's window are cut there.

        Raises ConfigurationError where the model cannot be loaded, or is not the one described.
        """
        dims = self.dims
        vectors = self._encode(texts)
        for vector in vectors:
            if len(vector) != dims:
                raise ConfigurationError(
                    f"{self._setting}: the model {self._name!r} makes vectors of {len(vector)} dimensions, "
                    f"and its files say {dims}",
                    hint="mend the config.json of its modules, which modules.json lists, or name another model",
                )
        return [vector.astype("<f4").tobytes() for vector in vectors]

    def _encode(self, texts: Sequence[str]) -> Any:
        model = self._loaded(self._files)
        with self._lock:
            # encode() orders by length itself, so that texts of one pass need little padding.
            return model.encode(list(texts), batch_size=_PASS_TEXTS, normalize_embeddings=True, show_progress_bar=False)

    @cached_property
    def _files(self) -> ModelFiles | None:
        """What the files tell, from now on; None: not enough."""
        files = self._look()
        if files is None and not Path(self._name).is_dir():
            # Loading it downloads it, and what the files then tell any later process holds for this one too.
            self._loaded(None)
            files = self._look()
        return files

    def _look(self) -> ModelFiles | None:
        folder = Path(self._name) if Path(self._name).is_dir() else cached_folder(self._name)
        return model_files(folder) if folder else None

    def _loaded(self, files: ModelFiles | None) -> SentenceTransformer:
        with self._lock:
            if self._model is None:
                self._model = self._load(files)
                self._prove_described()
            return self._model

    def _prove_described(self) -> None:
        described = self.__dict__.get("description", {}).get("revision")
        if described is not None and Path(self._name).is_dir() and self._revision()[:16] != described:
            raise ConfigurationError(
                f"{self._setting}: the model in {self._name!r} was replaced while syncer ran",
                hint="start it again: vectors of two models do not go together",
            )

    def _load(self, files: ModelFiles | None) -> SentenceTransformer:
        try:
            import torch
            import transformers
            from sentence_transformers import SentenceTransformer

            transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # it is untyped
        except ImportError as error:
            raise ConfigurationError(
                f"{self._setting} is set, but sentence-transformers is not installed",
                hint='pip install "syncer[embedding]"',
            ) from error
        # Renamed in 4.56; the versions before refuse the new name.
        renamed = tuple(int(part) for part in transformers.__version__.split(".")[:2]) >= (4, 56)
        options: dict[str, Any] = {
            "backend": self._backend,
            "model_kwargs": {"dtype" if renamed else "torch_dtype": torch.float32},
        }
        if files and not Path(self._name).is_dir():
            # Not what the hub has by now: that may be another model than the one described.
            options["revision"] = files.folder.name
            options["model_kwargs"]["use_safetensors"] = all(path.suffix == ".safetensors" for path in files.weights)
        try:
            # float(): a module that is no transformer does not hear of the keyword.
            return SentenceTransformer(self._name, **options).float()
        except Exception as error:  # whatever a loader or a hub raises, it is this setting that is wrong
            raise ConfigurationError(
                f"{self._setting}: cannot load the model {self._name!r}: {_first_line(error)}",
                hint="give the name of a sentence-transformers model, or a folder that holds one; "
                "without a way to the hub (HF_HUB_OFFLINE) it must be in the local cache",
            ) from error

    def _revision(self) -> str:
        """Return what tells this model from others.

        Of a folder a digest of its files; of a model on the hub one of those that decide on its vectors. Not of all
        that is cached, nor the hub's commit: they change with files that change no vector.
        """
        folder, files = Path(self._name), self._files
        digest = hashlib.sha256()
        if folder.is_dir():
            for path in sorted(folder.rglob("*")):
                if path.suffix in {".json", ".safetensors", ".bin", ".txt", ".model"}:
                    digest.update(f"{path.relative_to(folder)}:{os.path.getsize(path)}".encode())
                    with path.open("rb") as file:
                        digest.update(hashlib.file_digest(file, "sha256").digest())
        elif files:
            return files.digest()
        else:
            # Versions of the library order them differently.
            weights = (weight.detach().cpu().numpy().tobytes() for weight in self._loaded(None).parameters())
            for one in sorted(hashlib.sha256(weight).digest() for weight in weights):
                digest.update(one)
        return digest.hexdigest()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
