"""Fields and relations as values, out of their settings."""

from __future__ import annotations

from collections.abc import Mapping

from syncer.app.pipeline_settings import FieldSettings
from syncer.app.relation_settings import JoinSettings, RelationSettings
from syncer.core.declaration import Declared
from syncer.core.relation import Aggregate, DeclaredJoin, DeclaredRelation, Order


def declared_fields(settings: Mapping[str, FieldSettings] | None) -> Mapping[str, Declared] | None:
    """Return the fields as the settings declare them; None: every column and every relation."""
    return None if settings is None else {name: _field(field) for name, field in settings.items()}


def declared_relations(settings: Mapping[str, RelationSettings]) -> Mapping[str, DeclaredRelation]:
    """Return the relations as the settings declare them."""
    return {name: _relation(relation) for name, relation in settings.items()}


def _field(field: FieldSettings) -> Declared:
    listed = field.aggregate == "array_agg"
    return Declared(
        column=field.column,
        type=field.type,
        analyzer=field.analyzer,
        keyword=field.keyword,
        autocomplete=field.autocomplete,
        boost=field.boost,
        options={
            **({"dims": field.dims} if field.dims else {}),
            **({"properties": field.properties} if field.properties else {}),
            **field.options,
        },
        relation=field.relation,
        aggregate=Aggregate(field.aggregate) if field.aggregate and not listed else None,
        listed=listed,
    )


def _relation(relation: RelationSettings) -> DeclaredRelation:
    return DeclaredRelation(
        joins=tuple(_join(join) for join in (*relation.through, relation)),
        many=relation.many,
        order=tuple(Order(name.removeprefix("-"), name.startswith("-")) for name in relation.order_by),
        limit=relation.limit,
        columns=relation.columns,
        relations=declared_relations(relation.relations),
    )


def _join(join: JoinSettings) -> DeclaredJoin:
    return DeclaredJoin(
        table=join.table,
        on=join.on,
        key=join.key or (),
        watermark=join.watermark,
        watermark_zone=join.watermark_zone,
        soft_delete=join.soft_delete,
        where=join.where,
    )
