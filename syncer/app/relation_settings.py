"""The settings of further tables: those whose rows a document holds, and those that feed a query or a view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from syncer.app.setting_type import BLANK_IS_NONE, Misplaced, Name, Section, Text, Zone, listed


def relation_name(value: str) -> str:
    """Return the name if it can stand in a path such as `author.country.name`."""
    if "." in value or not value.strip():
        raise ValueError("the name of a relation must not be empty, nor hold a dot")
    return value


RelationName = Annotated[str, AfterValidator(relation_name)]
Names = Annotated[tuple[Name, ...], Field(min_length=1)]


class JoinSettings(Section):
    """A join table on the way to related rows, in the order of the way."""

    table: str = Field(min_length=1)
    """`schema.table` or `table`; a name with other characters in double quotes."""
    on: Mapping[Name, Name] = Field(min_length=1)
    """Columns of the table before, each with the column of this one that is equal to it."""
    key: Annotated[Names | None, BeforeValidator(listed)] = None
    """The column that identifies a row, or a list; left out: the primary key."""
    watermark: Text = None
    """The column that every insert and update sets to the current time; left out: `updated_at`, if there is such a
    column of a time type. Without one, the triggers of `syncer install-triggers` tell of changes."""
    watermark_zone: Annotated[Zone | None, BLANK_IS_NONE] = None
    """For a watermark without time zone: the zone its writers keep."""
    soft_delete: Text = None
    """A column that says a row is deleted: a time that is set, or a boolean that is true."""
    where: Text = None
    """A condition in SQL over the row's own columns; rows that do not meet it are left out."""


class RelationSettings(JoinSettings):
    """Rows of another table that belong to a row; see [relations](relations.md). `relations` in it are those of its own
    rows, to any depth."""

    through: tuple[JoinSettings, ...] = ()
    """The join tables on the way, the nearest first; `on` then begins at the last of them."""
    columns: Annotated[Names | None, BeforeValidator(listed)] = None
    """What an object of a row holds: columns, and relations of its own by name; left out: every column."""
    many: bool = False
    """There may be several rows: the field is an array. Else it is the first by `key`, or null."""
    order_by: Annotated[tuple[Name, ...], BeforeValidator(listed)] = ()
    """A column, or a list, that the rows of `many` are ordered by; with `-` before it: descending. Equal ones, and all
    without it, are ordered by `key`."""
    limit: Annotated[int | None, Field(ge=1)] = None
    """How many rows of `many` are taken at most."""
    relations: Mapping[RelationName, RelationSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for setting in ("order_by", "limit"):
            if getattr(self, setting) and not self.many:
                raise Misplaced(setting, "is for a relation to many rows: write many: true beside it, or leave it out")
        return self

    def without_conditions(self) -> Self:
        """Return the relation without any `where`, in it and in its own relations."""
        through = tuple(join.model_copy(update={"where": None}) for join in self.through)
        relations = {name: relation.without_conditions() for name, relation in self.relations.items()}
        return self.model_copy(update={"where": None, "through": through, "relations": relations})


class FeedSettings(Section):
    """A table that tells which documents of a query or a view change: it has their key in each of its rows. `relations`
    in it are the other tables that the documents are made of, as they are reached from this one; only what joins them,
    and their watermarks, matter there."""

    table: Text = None
    """`schema.table` or `table`; left out: the name of the feed."""
    key: Annotated[Names | None, BeforeValidator(listed)] = None
    """The columns that are the documents' key, in its order; left out: those of the same names."""
    watermark: Text = None
    """As for [relations](#pipelinesnamerelationsrelation)."""
    watermark_zone: Annotated[Zone | None, BLANK_IS_NONE] = None
    """For a watermark without time zone: the zone its writers keep."""
    relations: Mapping[RelationName, RelationSettings] = Field(default_factory=dict)

    def without_conditions(self) -> Self:
        """Return the feed without any `where` in its relations."""
        relations = {name: relation.without_conditions() for name, relation in self.relations.items()}
        return self.model_copy(update={"relations": relations})
