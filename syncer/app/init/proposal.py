"""What `init` proposes for a table; made of what the catalogue says, without asking anybody."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from syncer.adapters.postgres import remedy
from syncer.adapters.postgres.survey import Found, Survey, Texts
from syncer.app.init.document_fields import Line, embedded_text, fields_of
from syncer.app.init.relation import relations_of
from syncer.app.init.watermark import Candidate, candidates, is_led, is_touched
from syncer.app.setting_type import zone_has_daylight_saving
from syncer.core.column_type import infer
from syncer.core.table import Column, Table

_SOFT_DELETE = re.compile(r"(?:is_?)?(?:soft_?)?(?:deleted|removed)(?:_?(?:at|on|time|date))?", re.IGNORECASE)
_SOFT_DELETE_TYPES = ("timestamptz", "timestamp", "date", "bool")
#: Where there is no watermark, the one that a table is given.
_NEW_WATERMARK = "updated_at"


@dataclass(frozen=True, slots=True)
class Remedy:
    """What keeps a table from being followed, or from being followed well, and the SQL that mends it."""

    what: str
    sql: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pipeline, as the file will have it."""

    name: str
    table: Found
    watermark: Candidate
    #: Of a watermark without time zone.
    zone: str | None
    #: Empty: the primary key.
    key: Sequence[str]
    soft_delete: str | None
    fields: Sequence[Line]
    relations: Sequence[Line]
    #: What would be embedded, as field names in braces; empty: no text is worth it.
    text: str
    embed: bool = False

    @property
    def margin(self) -> str | None:
        """What `poll.margin` must be, where that is not its default."""
        return "61m" if self.zone and zone_has_daylight_saving(self.zone) else None

    @property
    def remedies(self) -> Sequence[Remedy]:
        """Return what makes polls slow, or blind for some writers."""
        table = _followed(self.table, self.key or self.table.primary_key, self.watermark.column, self.zone)
        found = []
        if not is_led(self.table, [self.watermark.column, *table.key]):
            found.append(
                Remedy(
                    f"no index of {self.table} begins with {', '.join([self.watermark.column, *table.key])}: "
                    "every poll would read the whole table",
                    remedy.polling_index(table, partitioned=self.table.partitioned),
                )
            )
        if not is_touched(self.table, self.watermark.column):
            found.append(
                Remedy(
                    f"no trigger of {self.table} seems to set {self.watermark.column} at an update; not needed if all "
                    "writers do",
                    remedy.touch_trigger(table),
                )
            )
        return found


def propose(
    survey: Survey, table: Found, texts: Mapping[str, Texts], watermark: Candidate, zone: str | None
) -> Proposal:
    """Return the proposal for a table that can be followed. texts: of its columns, as far as some were seen."""
    soft_delete = _soft_delete(table)
    fields = fields_of(table, texts, left_out=soft_delete)
    return Proposal(
        name=pipeline_name(table),
        table=table,
        watermark=watermark,
        zone=zone,
        key=() if table.primary_key else _key(table),
        soft_delete=soft_delete,
        fields=fields,
        relations=relations_of(survey, table, taken={line.name for line in fields}),
        text=embedded_text(fields, texts),
    )


def ranked(survey: Survey) -> Sequence[Found]:
    """Return the tables, first those that can be followed, of these first those with texts, of these the largest."""
    return sorted(
        survey.tables,
        key=lambda table: (
            bool(obstacles(table, survey.role)),
            not text_columns(table),
            -table.rows,
            -table.bytes,
            str(table),
        ),
    )


def obstacles(table: Found, role: str, *, told: bool = False) -> Sequence[Remedy]:
    """Return what keeps a role from following a table; told: somebody knows its watermark."""
    found = []
    if not table.readable:
        found.append(Remedy(f"{role} may not read {table}", remedy.grant_select(_followed(table, (), None), role)))
    key = _key(table)
    if not key:
        key = ["id"] if "id" in table.columns else []
        found.append(
            Remedy(
                f"{table} has no primary key, nor a unique index over columns that are never NULL",
                remedy.add_key(_followed(table, key, None)),
            )
        )
    if not told and not any(each.likely for each in candidates(table)):
        found.append(
            Remedy(
                f"{table} has no column that seems to be set at every update, such as {_NEW_WATERMARK}",
                _add_watermark(table, key or ["id"]),
            )
        )
    return found


def text_columns(table: Found) -> Sequence[str]:
    """Return the columns whose texts can be searched."""
    return [
        name
        for name, column in table.columns.items()
        if not column.array and (kind := infer(column)) is not None and kind.name == "text"
    ]


def pipeline_name(table: Found, *, with_schema: bool = False) -> str:
    """Return a name that a pipeline and an alias may have."""
    of = f"{table.schema}-{table.name}" if with_schema else table.name
    return re.sub(r"[^a-z0-9_-]+", "-", of.lower()).strip("-_")[:100] or "documents"


def told_apart(proposals: Sequence[Proposal]) -> Sequence[Proposal]:
    """Return the proposals, none with another's name."""
    taken: set[str] = set()
    found = []
    for each in proposals:
        longer = pipeline_name(each.table, with_schema=True)
        names = (each.name, longer, *(f"{longer[:96]}-{number}" for number in range(2, len(proposals) + 2)))
        name = next(name for name in names if name not in taken)
        taken.add(name)
        found.append(replace(each, name=name))
    return found


def _key(table: Found) -> Sequence[str]:
    def serves(columns: Sequence[str]) -> bool:
        of = [table.columns[name] for name in columns]
        return not any(each.nullable or each.array or each.kind == "c" or each.virtual for each in of)

    return next((columns for columns in (table.primary_key, *table.unique) if columns and serves(columns)), ())


def _soft_delete(table: Found) -> str | None:
    return next(
        (
            name
            for name, column in table.columns.items()
            if column.type in _SOFT_DELETE_TYPES and not column.array and _SOFT_DELETE.fullmatch(name)
        ),
        None,
    )


def _followed(table: Found, key: Sequence[str], watermark: str | None, zone: str | None = None) -> Table:
    return Table(table.schema, table.name, table.columns, tuple(key), watermark, zone)


def _add_watermark(table: Found, key: Sequence[str]) -> str:
    name = _NEW_WATERMARK if _NEW_WATERMARK not in table.columns else f"syncer_{_NEW_WATERMARK}"
    column = Column(name, "timestamptz", "timestamp with time zone", nullable=False)
    stamped = replace(_followed(table, key, name), columns={**table.columns, name: column})
    return remedy.add_watermark(stamped, partitioned=table.partitioned)
