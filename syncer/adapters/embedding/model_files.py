"""What the files of a sentence-transformers model tell of it: the library itself takes seconds to import."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Modules of the library that leave the dimensions as they are, and have no weights.
_PLAIN = {"Dropout", "Normalize"}
#: Modules with weights.
_WEIGHTED = {"Transformer", "Dense", "LayerNorm"}
#: Besides the words of a tokenizer that has no `tokenizer.json`.
_SETTINGS = (
    "modules.json", "config.json", "config_sentence_transformers.json", "sentence_*_config.json",
    "tokenizer.json", "tokenizer_config.json", "*.model",
)  # fmt: skip
#: What the hub's cache calls a large file: the SHA-256 of what is in it.
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Prompts:
    """What a model wants before a text."""

    query: str = ""
    passage: str = ""

    @classmethod
    def of(cls, named: Mapping[str, str | None], default: str | None) -> Prompts:
        """Return those of a model that names some; default: the name of that for all other texts."""
        query, passage = (
            next((prompt for name in [*names, default] if name and (prompt := named.get(name))), "")
            for names in (("query",), ("document", "passage", "corpus"))
        )
        return cls(query, passage)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model as its files describe it."""

    folder: Path
    #: The length of its vectors.
    dims: int
    #: What the library loads, in the order of the modules.
    weights: Sequence[Path]
    #: How it uses them: modules, pooling, prompts, tokenizer.
    settings: Sequence[Path]
    prompts: Prompts

    def digest(self) -> str:
        """Return what tells its vectors from those of others: the same wherever it is stored, whatever lies beside."""
        whole = hashlib.sha256()
        for path in [*self.weights, *self.settings]:
            whole.update(_digest(path))
        return whole.hexdigest()


def model_files(folder: Path) -> ModelFiles | None:
    """Return what the files tell; None where only the library knows: a file is missing or odd, a module is unknown."""
    try:
        whole = _read(folder / "config_sentence_transformers.json", missing={})
        modules = [(_kind(module["type"]), folder / module["path"]) for module in _read(folder / "modules.json")]
        if whole.get("model_type", "SentenceTransformer") != "SentenceTransformer":
            return None  # the library makes another model of it
        dims = next(dims for kind, at in reversed(modules) if (dims := _dims(kind, at)))
        weights = [path for kind, at in modules if kind in _WEIGHTED for path in _weights(at)]
        settings = [path for at in dict.fromkeys([folder, *(at for _, at in modules)]) for path in _settings(at)]
        prompts = Prompts.of(whole.get("prompts") or {}, whole.get("default_prompt_name"))
        return ModelFiles(folder, min(dims, whole.get("truncate_dim") or dims), weights, settings, prompts)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration):
        return None


def cached_folder(name: str) -> Path | None:
    """Return the folder of a model of the hub in the local cache, as it was last downloaded; None: it was not."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    # The library completes the name, and reads the variable, in the same way.
    name = name if "/" in name else f"sentence-transformers/{name}"
    try:
        found = try_to_load_from_cache(name, "modules.json", cache_dir=os.environ.get("SENTENCE_TRANSFORMERS_HOME"))
    except ValueError:
        return None  # the hub has no such names; as a rule it is the path of a folder that is missing
    return Path(found).parent if isinstance(found, str) else None


def _kind(type_: str) -> str:
    """Return the name of a module of the library, which moves them between packages. Raises LookupError for others."""
    library, name = type_.split(".")[0], type_.split(".")[-1]
    if library != "sentence_transformers" or name not in {"Pooling", *_PLAIN, *_WEIGHTED}:
        raise LookupError(type_)
    return name


def _dims(kind: str, folder: Path) -> int | None:
    """Return the length of what a module puts out; None: that of what it is given."""
    match kind:
        case "Pooling":
            config = _read(folder / "config.json")
            return _pooled(config) * int(config.get("embedding_dimension") or config["word_embedding_dimension"])
        case "Dense":
            return int(_read(folder / "config.json")["out_features"])
        case "LayerNorm":
            return int(_read(folder / "config.json")["dimension"])
        case _:
            return None


def _pooled(config: Mapping[str, Any]) -> int:
    """Return how many poolings are put side by side; older models have a flag for each."""
    if modes := config.get("pooling_mode"):
        return 1 if isinstance(modes, str) else len(modes)
    return sum(value is True for name, value in config.items() if name.startswith("pooling_mode_")) or 1


def _weights(folder: Path) -> Sequence[Path]:
    """Return the files of a module's weights, of which the library loads the first kind there is."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return [folder / name]
        if (index := folder / f"{name}.index.json").is_file():
            parts = sorted({folder / part for part in _read(index)["weight_map"].values()})
            if all(part.is_file() for part in parts):
                return parts
    raise FileNotFoundError(folder)


def _settings(folder: Path) -> Sequence[Path]:
    """Return the files that decide on what the weights make of a text; not others, which some caches hold."""
    found = [path for name in _SETTINGS for path in sorted(folder.glob(name))]
    return found if (folder / "tokenizer.json").is_file() else [*found, *sorted(folder.glob("vocab.*"))]


def _digest(path: Path) -> bytes:
    # Gigabytes need not be read for what their name tells.
    blob = path.resolve()
    if blob.parent.name == "blobs" and _DIGEST.fullmatch(blob.name):
        return bytes.fromhex(blob.name)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _read(path: Path, *, missing: Any = None) -> Any:
    if missing is not None and not path.exists():
        return missing
    return json.loads(path.read_text(encoding="utf-8"))
