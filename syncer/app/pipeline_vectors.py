"""What a pipeline embeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from syncer.app.blueprint import Blueprint
from syncer.app.pipeline_settings import PipelineSettings
from syncer.app.yaml_file import readable
from syncer.core.declaration import fault_in_name
from syncer.core.error import ConfigurationError
from syncer.core.field import Field, VectorField
from syncer.ports import Model


def pipeline_vectors(
    name: str, settings: PipelineSettings, fields: Sequence[Field], dims: Callable[[], int]
) -> Sequence[VectorField]:
    """Return the fields that hold vectors. dims: asked where there are any, for the model's files have to be read.

    Raises ConfigurationError where Elasticsearch would not have the name, or another field has it or lies inside, which
    the settings alone did not tell.
    """
    taken = {field.name for field in fields}
    for place, of in settings.embeddings.items():
        setting = f"pipelines.{name}.{readable(place)}.field"
        if fault := fault_in_name(of.field):
            raise ConfigurationError(f"{setting}: the field name {of.field!r} {fault}", hint="choose another name")
        others = taken | {other.field for other in settings.embeddings.values() if other is not of}
        for other in sorted(others):
            if f"{of.field}.".startswith(f"{other}.") or other.startswith(f"{of.field}."):
                what = "is a field already" if other == of.field else f"and the field {other} would lie in each other"
                raise ConfigurationError(
                    f"{setting}: {of.field} {what}", hint="choose another name, or list the fields without it"
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
