"""The model that the settings ask for."""

from __future__ import annotations

from syncer.adapters.embedding.sentence import SentenceEmbedder
from syncer.adapters.embedding.server import Server, ServerEmbedder
from syncer.adapters.embedding.static import StaticEmbedder
from syncer.app.settings import ModelSettings
from syncer.ports import Clock, Model


def embedder(settings: ModelSettings, clock: Clock) -> Model:
    """Return the model, which is loaded when it is first needed."""
    prompts = settings.prompts
    match settings.backend:
        case "http":
            key = settings.api_key.get_secret_value() if settings.api_key else None
            return ServerEmbedder(
                Server(settings.url or "", settings.model, key, settings.request_timeout, settings.request_texts),
                clock=clock,
                revision=settings.revision or "",
                dims=settings.dims,
                query=prompts.query or "",
                passage=prompts.passage or "",
                normalise=settings.normalise,
            )
        case "static":
            return StaticEmbedder(
                settings.model,
                query=prompts.query or "",
                passage=prompts.passage or "",
                normalise=settings.normalise,
            )
        case "torch" | "onnx" | "openvino" as backend:
            return SentenceEmbedder(
                settings.model,
                backend=backend,
                quantisation=settings.quantisation,
                query=prompts.query,
                passage=prompts.passage,
                normalise=settings.normalise,
                converted=settings.converted.expanduser(),
            )
