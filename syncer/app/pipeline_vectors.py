"""What a pipeline embeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from syncer.app.blueprint import Blueprint
from syncer.app.pipeline_settings import PipelineSettings
from syncer.app.yaml_file import readable
from syncer.core.error import ConfigurationError
from syncer.core.field import Field, VectorField
from syncer.ports import Model


def pipeline_vectors(
    name: str, settings: PipelineSettings, fields: Sequence[Field], dims: Callable[[], int]
) -> Sequence[VectorField]:
    """Return the fields that hold vectors. dims: asked where there are any, for the model's files have to be read.

    Raises ConfigurationError where one has the name of another field, which the settings alone did not tell.
    """
    taken = {field.name for field in fields}
    for place, of in settings.embeddings.items():
        if of.field in taken:
            raise ConfigurationError(
                f"pipelines.{name}.{readable(place)}.field: {of.field} is a field already",
                hint="choose another name, or list the fields without it",
            )
    return [
        VectorField(
            of.field,
            of.text,
            dims(),
            of.similarity,
            of.index,
            of.chunk.chunks if of.chunk else None,
            setting=readable(place),
        )
        for place, of in settings.embeddings.items()
    ]


def prove_pieces(model: Model, plan: Blueprint) -> None:
    """Raise ConfigurationError where the model does not read the pieces that texts are cut into to their end."""
    for vector in plan.vectors:
        if vector.chunks is None:
            continue
        try:
            model.split([], vector.chunks)
        except ConfigurationError as error:
            setting = f"pipelines.{plan.name}.{vector.setting}"
            raise ConfigurationError(f"{setting}.{error.message}", hint=error.hint) from error
