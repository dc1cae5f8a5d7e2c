"""`syncer embed-bench`: how fast each backend embeds the user's own rows, and how near to torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from syncer.adapters.embedding.agreement import agreement
from syncer.adapters.embedding.sentence import SentenceEmbedder
from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.log_events import one_line
from syncer.app.model import embedder
from syncer.app.reader import source_reader
from syncer.app.settings import QUANTISATIONS, ModelSettings
from syncer.app.wiring import Application
from syncer.core.error import ConfigurationError
from syncer.core.outcome import Rejected
from syncer.core.vector import Chunks
from syncer.ports import Clock, Model

_PAGE_ROWS = 500
#: Embedded before the clock runs: a runtime compiles and allocates for the first texts.
_WARM_TEXTS = 16

_LOCAL = ("torch", "onnx", "openvino")

#: A text of a row, and how it is cut.
_Text = tuple[str, Chunks | None]


@dataclass(frozen=True, slots=True)
class Measured:
    """One backend; figures are missing where it has none, or does not work here."""

    backend: str
    quantisation: str
    texts_per_second: float | None = None
    tokens_per_second: float | None = None
    #: With torch and float32.
    cosine_mean: float | None = None
    cosine_min: float | None = None
    #: The share of the ten nearest texts that are the same.
    neighbours: float | None = None
    error: str | None = None


def embed_bench(invocation: Invocation, name: str | None, *, texts: int, backends: Sequence[str]) -> ExitCode:
    """Measure, and write nothing anywhere; backends: left out, all that can run the model."""
    with invocation.application() as (application, clock):
        names = [each for each in application.names([name] if name else []) if _embeds(application, each)]
        if not names:
            raise ConfigurationError("no pipeline has an embedding", hint="give one an embedding.text")
        found = _texts(application, names[0], texts)
        if not found:
            raise ConfigurationError(f"pipelines.{names[0]}: no row has a text to embed")
        measured, embedded, tokens = _measure(application.settings.embedding, backends, found, clock)
    document = {
        "pipeline": names[0],
        "model": application.settings.embedding.model,
        "texts": embedded,
        "tokens": tokens,
        "backends": [asdict(one) for one in measured],
    }
    invocation.show(document, lambda: _table(document, measured))
    return ExitCode.DONE


def _embeds(application: Application, name: str) -> bool:
    return bool(application.settings.pipelines[name].embeddings)


def _texts(application: Application, name: str, count: int) -> Sequence[_Text]:
    """Return the texts of the first rows by key, each once."""
    plan = application.blueprint(name)
    reader = source_reader(plan, application.source_session(any_server=True), application.settings.state.schema_)
    chunks = {vector.name: vector.chunks for vector in plan.vectors}
    found: dict[_Text, None] = {}
    try:
        after = None
        while len(found) < count and (keys := reader.keys.read(after, None, _PAGE_ROWS)):
            for draft in reader.documents.hydrate(keys).drafts:
                found |= dict.fromkeys((text, chunks[field]) for field, text in draft.texts.items() if text.strip())
            after = keys[-1]
    finally:
        reader.close()
    return list(found)[:count]


def _cut(model: Model, found: Sequence[_Text]) -> Sequence[str]:
    """Return what the pipeline would embed of the texts: pieces of those that it cuts. No more of them than of texts,
    so that it takes no longer."""
    cut: dict[str, None] = {}
    for text, chunks in found:
        cut |= dict.fromkeys(model.split([text], chunks).pieces[0] if chunks else [text])
        if len(cut) >= len(found):
            break
    return list(cut)[: len(found)]


def _measure(
    settings: ModelSettings, backends: Sequence[str], found: Sequence[_Text], clock: Clock
) -> tuple[Sequence[Measured], int, int | None]:
    """Return the figures, how many texts were embedded, or pieces of them, and how many tokens these have, where torch
    can run the model."""
    texts: Sequence[str] = ()
    reference: Sequence[bytes | Rejected] | None = None
    reference_dims = 0
    tokens: int | None = None
    measured: list[Measured] = []
    for settings_of in _candidates(settings, backends):
        name, quantisation = settings_of.backend, settings_of.quantisation
        try:
            model = embedder(settings_of, clock)
            model.load()
            # By the first: all are to embed the same.
            texts = texts or _cut(model, found)
            model.embed(texts[:_WARM_TEXTS])
            started = clock.monotonic()
            vectors = model.embed(texts).vectors
            seconds = clock.monotonic() - started
        except ConfigurationError as error:
            measured.append(Measured(name, quantisation, error=f"{error.message}: {error.hint}"))
            continue
        if isinstance(model, SentenceEmbedder):
            reference, reference_dims = reference or vectors, reference_dims or model.dims
            tokens = tokens or sum(model.tokens(texts))
        alike = agreement(vectors, reference) if reference and model.dims == reference_dims else None
        measured.append(
            Measured(
                name,
                quantisation,
                round(len(texts) / seconds, 1),
                round(tokens / seconds, 1) if tokens else None,
                *((round(value, 5) for value in asdict(alike).values()) if alike else ()),
            )
        )
    return measured, len(texts), tokens


def _candidates(settings: ModelSettings, backends: Sequence[str]) -> Iterator[ModelSettings]:
    """Yield settings to measure, torch with float32 first: all others are compared with it."""
    if settings.backend not in _LOCAL:
        if settings.backend == "http" and "torch" in backends:  # asked for: nobody else knows that it is the same model
            yield settings.model_copy(update={"backend": "torch", "url": None})
        yield settings
        return
    for backend in _LOCAL:
        for quantisation in QUANTISATIONS[backend]:
            if not backends or backend in backends or (backend, quantisation) == (_LOCAL[0], "float32"):
                yield settings.model_copy(update={"backend": backend, "quantisation": quantisation})


def _table(document: dict[str, Any], measured: Sequence[Measured]) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        header_style="bold",
        title=f"{document['model']}, {document['texts']} texts of {document['pipeline']}",
        title_justify="left",
    )
    for header in ("backend", "quantisation"):
        table.add_column(header, no_wrap=True)
    for header in ("texts/s", "tokens/s", "cosine", "least", "same 10 nearest"):
        table.add_column(header, justify="right")
    table.add_column("", overflow="fold")
    for one in measured:
        table.add_row(
            one.backend,
            one.quantisation,
            _shown(one.texts_per_second, ".1f"),
            _shown(one.tokens_per_second, ".0f"),
            _shown(one.cosine_mean, ".5f"),
            _shown(one.cosine_min, ".5f"),
            _shown(one.neighbours, ".1%"),
            one_line(one.error or ""),
        )
    return table


def _shown(figure: float | None, form: str) -> str:
    return "–" if figure is None else format(figure, form)
