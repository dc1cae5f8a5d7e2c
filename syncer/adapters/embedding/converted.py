"""A model whose transformer runs elsewhere than on torch: converted once, kept as files, and put in its place.

Not with the backends of sentence-transformers: what they need (optimum) wants a transformers older than the one that
the current sentence-transformers wants.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from syncer.core.error import ConfigurationError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: Inputs by name, of shape (texts, tokens).
Arrays = Mapping[str, Any]
#: Returns an embedding for each token.
Run = Callable[[Arrays], Any]


class Runtime(Protocol):
    """What runs a transformer: a module. Either function raises ImportError where a package is missing."""

    def convert(self, transformer: Any, example: Arrays, folder: Path, quantisation: str) -> None:
        """Write a torch module that takes the example as files."""

    def load(self, folder: Path, quantisation: str, /) -> Run:
        """Return what runs the files."""


#: Of several lengths, to convert with, and to prove that the result makes the same vectors.
_EXAMPLES = ["A text.", "Another one, that is somewhat longer than the first.", "A third: " + "many words " * 40]
#: Cosine with the vectors of torch, at least. int8 is an approximation; anything else that is below is broken.
_COSINE_MIN = {"int8": 0.95}


def convert(model: SentenceTransformer, name: str, runtime: Runtime, quantisation: str, folder: Path) -> None:
    """Let the model run elsewhere; name: what the configuration calls that. folder: where its files are kept, or will
    be.

    Raises ConfigurationError where the runtime is not installed, or does not make the same of a text.
    """
    before = model.encode(_EXAMPLES, normalize_embeddings=True, show_progress_bar=False)
    transformer: Any = model[0]
    # The name has changed in 6.0, where the former one only reads.
    place = "auto_model" if "auto_model" in transformer._modules else "model"
    original = getattr(transformer, place)
    given = model.tokenizer(_EXAMPLES, padding=True, return_tensors="np")
    try:
        if not folder.is_dir():
            _keep(runtime, original, {name: given[name] for name in sorted(given)}, folder, quantisation)
        run: Run = runtime.load(folder, quantisation)
    except ImportError as error:
        raise ConfigurationError(
            f"embedding.backend: {name} needs a package that is not installed: {error.name}",
            hint=f'pip install "syncer[{name}]"',
        ) from error
    except Exception as error:  # whatever a converter raises: it cannot do with this model
        raise ConfigurationError(
            f"embedding.backend: the model does not run on {name}: {str(error).strip()[:300]}",
            hint=f"use the backend torch; remove {folder}, if it is there, to convert it again",
        ) from error
    setattr(transformer, place, _standing_in(original, run))
    after = model.encode(_EXAMPLES, normalize_embeddings=True, show_progress_bar=False)
    cosine = float((before * after).sum(axis=1).min())
    if not cosine >= _COSINE_MIN.get(quantisation, 0.999):
        raise ConfigurationError(
            f"embedding.backend: on {name} with {quantisation} the model makes other vectors: cosine {cosine:.4f} "
            f"with those of torch",
            hint=f"use another quantisation, or the backend torch; remove {folder} to convert it again",
        )


def exported_from(transformer: Any, example: Arrays) -> Any:
    """Return a torch module of the transformer that takes the inputs in the example's order, and returns one tensor."""
    import torch

    class Exported(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, *inputs: Any) -> Any:
            return self.transformer(**dict(zip(example, inputs, strict=True))).last_hidden_state

    return Exported().eval()


def _standing_in(original: Any, run: Run) -> Any:
    """Return a torch module that does what the original one does, elsewhere."""
    import torch
    from transformers.modeling_outputs import BaseModelOutput

    class Converted(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = original.config

        def forward(self, **features: Any) -> Any:
            arrays = {name: value.numpy() for name, value in features.items() if isinstance(value, torch.Tensor)}
            return BaseModelOutput(last_hidden_state=torch.from_numpy(run(arrays)))

    return Converted()


def _keep(runtime: Runtime, transformer: Any, example: Arrays, folder: Path, quantisation: str) -> None:
    """Convert into the folder: whole, or not at all; of several processes the first one's result is kept."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        # What they print is no result of a command.
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):
            # Converters trace: they warn of each branch, and of each other's old interfaces.
            warnings.simplefilter("ignore")
            runtime.convert(transformer, example, aside, quantisation)
        if not folder.is_dir():
            aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
