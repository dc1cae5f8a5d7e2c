"""sentence-transformers, on torch or with the transformer converted."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncer.adapters.embedding import onnx_runtime, openvino_runtime
from syncer.adapters.embedding.converted import Runtime, convert
from syncer.adapters.embedding.model_files import ModelFiles, Prompts, cached_folder, model_files
from syncer.adapters.embedding.passes import passes
from syncer.adapters.embedding.text import CHARACTERS_MAX, cut, readable, room_in
from syncer.adapters.embedding.token import in_pieces, token_counts
from syncer.adapters.embedding.vector import UNSCALED, all_of, rows
from syncer.core.error import ConfigurationError
from syncer.core.outcome import Rejected
from syncer.core.vector import Chunks, Embedded, Split

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: Tokens in one forward pass, padding and all. On two cores passes of 1,000 to 4,000 take a sixth less time than passes
#: of 32 texts, whatever their length, do for the docstrings of Python; with 8,000 the caches are too small.
_PASS_TOKENS = 4096
#: Not measured: what keeps a GPU busy.
_GPU_PASS_TOKENS = 65_536

_RUNTIMES: Mapping[str, Runtime] = {"onnx": onnx_runtime, "openvino": openvino_runtime}


class SentenceEmbedder:
    """A sentence-transformers model, loaded when first used, one `encode` at a time.

    It is described by its files where these tell it, for importing torch takes seconds that most commands can do
    without. A model of the hub is the revision in the local cache, if there is one; else loading it downloads it.
    """

    def __init__(
        self,
        model: str,
        *,
        backend: str = "torch",
        quantisation: str = "float32",
        query: str | None = None,
        passage: str | None = None,
        normalise: bool = True,
        converted: Path = Path(),
        setting: str = "embedding.model",
    ) -> None:
        """model: a name on the hub, or a folder. query, passage: prompts, left out: those of the model. normalise:
        scale vectors to length one. converted: where what other backends than torch run is kept. setting: what the
        configuration calls it, for messages."""
        self._name = model
        self._backend = backend
        self._quantisation = quantisation
        self._query, self._passage = query, passage
        self._normalise = normalise
        self._converted = converted
        self._setting = setting
        self._lock = threading.Lock()
        # The allocator keeps what a pass took for the thread that took it: with eight of them twice the memory.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")
        self._model: SentenceTransformer | None = None
        #: Whether it runs on the backend; until then, and on torch for good, on torch.
        self._placed = backend not in _RUNTIMES

    @cached_property
    def fingerprint(self) -> str:
        # Not the model's name: a folder that is moved holds the same model.
        of = self.description
        known = f"sentence-transformers/{of['backend']}/{of['revision']}/{of['quantisation']}/{self.dims}"
        if not self._normalise:
            known += UNSCALED
        return f"{known}/{of['prompt']}" if "prompt" in of else known

    @cached_property
    def description(self) -> Mapping[str, str]:
        """What tells its vectors from those of another: model, revision, backend, quantisation, and a prompt if any."""
        told = {
            "model": "a folder" if Path(self._name).is_dir() else self._name,
            "revision": self._revision()[:16],
            "backend": self._backend,
            # Of the weights, whatever they are stored as: versions of transformers differ in what they make of that.
            # Half precision on a GPU has no name of its own: machines with one and without work on one index.
            "quantisation": self._quantisation,
        }
        # That of queries is not in the index.
        if self._prompts.passage:
            told["prompt"] = self._prompts.passage
        return told if self._normalise else {**told, "normalise": "false"}

    @cached_property
    def dims(self) -> int:
        files = self._files
        return files.dims if files else int(self._encode(["dimensions"], "")[0].shape[1])

    def load(self) -> None:
        """Load the model now, and embed a text. Raises ConfigurationError where that is not the model described."""
        self.embed(["dimensions"])

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Return vectors, or rejections; texts longer than the model's window are cut there.

        Raises ConfigurationError where the model cannot be loaded, or is not the one described.
        """
        vectors, truncated = self._encode(texts, self._prompts.passage)
        return Embedded(self._rows(vectors), truncated)

    def split(self, texts: Sequence[str], chunks: Chunks) -> Split:
        """Return the texts in pieces by the model's own tokens; see `Embedder`."""
        model, prompt = self._ready(), self._prompts.passage
        with self._lock:
            room = room_in(
                chunks,
                around=token_counts(model, [prompt])[0],
                window=model.max_seq_length,
                named=f"the model {self._name!r}",
            )
            return Split([in_pieces(model, prompt, readable(text), room, chunks) for text in texts], cut(texts))

    def embed_query(self, text: str) -> bytes:
        """Return the vector to search with."""
        return all_of(self.embed_queries([text]))[0]

    def embed_queries(self, texts: Sequence[str]) -> Sequence[bytes | Rejected]:
        """Return the vectors to search with; see `Model`."""
        vectors, _ = self._encode(texts, self._prompts.query)
        return self._rows(vectors)

    def _rows(self, vectors: Any) -> Sequence[bytes | Rejected]:
        return rows(
            vectors,
            self.dims,
            named=f"{self._setting}: the model {self._name!r}",
            hint="mend the config.json of its modules, which modules.json lists, or name another model",
        )

    @cached_property
    def _prompts(self) -> Prompts:
        files = self._files
        if files:
            own = files.prompts
        else:
            model = self._loaded(None)
            own = Prompts.of(model.prompts, model.default_prompt_name)
        return Prompts(
            own.query if self._query is None else self._query,
            own.passage if self._passage is None else self._passage,
        )

    def tokens(self, texts: Sequence[str]) -> Sequence[int]:
        """Return how many tokens the model reads of each text, and of the prompt before it."""
        model = self._ready()
        with self._lock:
            lengths = token_counts(model, [readable(self._prompts.passage + text) for text in texts])
        return [min(length, model.max_seq_length or length) for length in lengths]

    def _encode(self, texts: Sequence[str], prompt: str) -> tuple[Any, int]:
        """Return a row for each text, and how many of the texts are not read to their end."""
        return self._thread.submit(self._encoded, texts, prompt).result()

    def _encoded(self, texts: Sequence[str], prompt: str) -> tuple[Any, int]:
        import numpy

        model = self._ready()
        given = [readable(text) for text in texts]
        pass_tokens = _GPU_PASS_TOKENS if model.device.type == "cuda" else _PASS_TOKENS
        with self._lock, self._precision():
            lengths = token_counts(model, [prompt + text for text in given])
            window = model.max_seq_length or max(lengths, default=0)
            vectors = numpy.empty((len(given), 0), dtype="<f4")
            for numbers in passes([min(length, window) for length in lengths], pass_tokens):
                made = model.encode(
                    [given[number] for number in numbers],
                    # Empty, it keeps the library from taking the model's default; left out where there is none to take.
                    prompt=prompt if prompt or model.default_prompt_name else None,
                    batch_size=len(numbers),
                    normalize_embeddings=self._normalise,
                    show_progress_bar=False,
                )
                if not vectors.shape[1]:
                    vectors = numpy.empty((len(given), made.shape[1]), dtype="<f4")
                vectors[numbers] = made
        return vectors, sum(
            length > window or len(text) > CHARACTERS_MAX for length, text in zip(lengths, texts, strict=True)
        )

    def _precision(self) -> AbstractContextManager[object]:
        """Let torch calculate with fewer digits, where that was asked for; OpenVINO sees to that itself."""
        if self._backend != "torch" or self._quantisation != "bfloat16":
            return nullcontext()
        import torch

        return torch.autocast("cpu", dtype=torch.bfloat16)

    def _ready(self) -> SentenceTransformer:
        model = self._loaded(self._files)
        if self._placed:
            return model
        # Known before the weights go: some models are known by them.
        revision = self.description["revision"]
        with self._lock:
            if not self._placed:
                folder = self._converted / f"{self._backend}-{self._quantisation}-{revision}"
                convert(model, self._backend, _RUNTIMES[self._backend], self._quantisation, folder)
                self._placed = True
        return model

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
        # Read when torch is first imported. Threads that spin at the end of each part of a pass take the cores from
        # Postgres and Elasticsearch: on two busy cores they used twice the processor, for half the texts a second.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
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
            # Converted models run on the CPU; torch runs on a GPU if it finds one.
            "device": None if self._placed else "cpu",
            "model_kwargs": {"dtype" if renamed else "torch_dtype": torch.float32},
        }
        if files and not Path(self._name).is_dir():
            # Not what the hub has by now: that may be another model than the one described.
            options["revision"] = files.folder.name
            options["model_kwargs"]["use_safetensors"] = all(path.suffix == ".safetensors" for path in files.weights)
        try:
            model = SentenceTransformer(self._name, **options)
            # float(): a module that is no transformer does not hear of the keyword.
            return model.half() if model.device.type == "cuda" else model.float()
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
