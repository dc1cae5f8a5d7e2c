"""The tables of a pipeline as its settings mean them and the catalogue has them, and the fields of its documents."""

from __future__ import annotations

from collections.abc import Mapping

from syncer.adapters.postgres.catalog import read_table
from syncer.adapters.postgres.relation_catalog import read_relations
from syncer.adapters.postgres.session import Session
from syncer.app.declared import declared_fields, declared_relations
from syncer.app.pipeline_settings import PipelineSettings
from syncer.core.declaration import resolve_fields
from syncer.core.field import Field
from syncer.core.relation import Relation
from syncer.core.table import Table


def pipeline_table(session: Session, name: str, settings: PipelineSettings) -> Table:
    """Return the table of a pipeline as the catalogue has it; see `read_table`."""
    return read_table(
        session,
        settings.table,
        key=settings.key or (),
        watermark=settings.watermark,
        watermark_zone=settings.watermark_zone,
        soft_delete=settings.soft_delete,
        where=settings.where,
        routing=settings.routing,
        setting=f"pipelines.{name}",
    )


def pipeline_relations(session: Session, name: str, settings: PipelineSettings, table: Table) -> Mapping[str, Relation]:
    """Return the relations of a pipeline's table as the catalogue has them; see `read_relations`."""
    return read_relations(session, table, declared_relations(settings.relations), setting=f"pipelines.{name}")


def pipeline_fields(session: Session, name: str, settings: PipelineSettings, table: Table) -> tuple[Field, ...]:
    """Return the fields of a pipeline's documents; see `resolve_fields`."""
    relations = pipeline_relations(session, name, settings, table)
    fields = declared_fields(settings.fields)
    return resolve_fields(table, fields, setting=f"pipelines.{name}.fields", relations=relations)
