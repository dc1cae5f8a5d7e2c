"""The settings of one pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from syncer.app.embedding_settings import EmbeddingSections, EmbeddingSettings, Place, by_place
from syncer.app.lifecycle_settings import LifecycleSettings
from syncer.app.relation_settings import FeedSettings, JoinSettings, RelationName, RelationSettings
from syncer.app.schedule_settings import ScheduleSettings
from syncer.app.setting_type import (
    BLANK_IS_NONE,
    Duration,
    FunctionReference,
    Misplaced,
    Name,
    RefreshInterval,
    Section,
    Text,
    Zone,
    listed,
    placeholders,
    zone_has_daylight_saving,
)

#: A zone with daylight saving repeats an hour each autumn.
DAYLIGHT_SAVING_MARGIN_SECONDS = 61 * 60
#: Settings of the index that syncer keeps itself, by the setting that stands for them.
_OWN_INDEX_SETTINGS = {
    "number_of_shards": "index.shards",
    "number_of_replicas": "index.replicas",
    "refresh_interval": "index.refresh_interval",
    "translog.durability": None,
    "lifecycle.name": "lifecycle",
}


#: Settings that a query or a view cannot have, with what to do about it.
_NOT_WITH_FEEDS = {
    "watermark": "each of them has its own",
    "watermark_zone": "each of them has its own",
    "routing": "nothing tells where the document of a row was that is gone from a query or a view",
    "relations": "join the tables in the query or the view, and name them in the relations of feeds",
}


class IndexSettings(Section):
    """The index that a pipeline fills. Changing `alias`, `shards` or `settings` later takes a rebuild."""

    alias: Text = None
    """The name to search under; left out: the pipeline's name. The index behind it is called `<alias>-<UTC time>`."""
    shards: int = Field(default=1, ge=1, le=1024)
    """Primary shards."""
    replicas: int = Field(default=1, ge=0, le=100)
    """Copies of each shard, from the end of the first load on."""
    refresh_interval: RefreshInterval = "1s"
    """How long a written document may stay unsearchable; `-1`: until somebody refreshes."""
    settings: Mapping[str, Any] = Field(default_factory=dict)
    """Further index settings (`analysis`, `index.codec`, …), as Elasticsearch names them."""

    @field_validator("settings")
    @classmethod
    def _not_our_own(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in _flat(value):
            if name in _OWN_INDEX_SETTINGS:
                own = _OWN_INDEX_SETTINGS[name]
                raise ValueError(f"{name} is set by {own}" if own else f"{name} is kept at what the protocol needs")
        return value


class FieldSettings(Section):
    """One field of the document; a plain text is its `type`."""

    column: Text = None
    """The column that fills it; left out: the one of the same name. Of related rows with the relation's name before it:
    `author.name`."""
    relation: Text = None
    """The relation whose rows fill it, as objects; see [relations](relations.md)."""
    aggregate: Literal["count", "min", "max", "sum", "avg", "array_agg"] | None = None
    """One value made of all rows of a relation to many; `array_agg`: all values, as without it."""
    type: Text = None
    """Any field type of Elasticsearch; left out: inferred from the column's type."""
    analyzer: Text = None
    """For `text`: `english`, `standard`, or one defined in `index.settings`."""
    keyword: bool = False
    """For `text`: adds a sub-field `keyword` for exact matches, sorting and facets."""
    autocomplete: bool = False
    """For `text`: adds a sub-field `autocomplete` of the first 2 to 15 characters of each word."""
    boost: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Weight of the field in keyword search."""
    dims: Annotated[int | None, Field(ge=1, le=4096)] = None
    """For `dense_vector` filled from a column: the length of its vectors."""
    properties: Mapping[str, Any] | None = None
    """For `object` and `nested`: the mapping of what is inside, as Elasticsearch writes it."""
    options: Mapping[str, Any] = Field(default_factory=dict)
    """Further mapping parameters (`scaling_factor`, `ignore_above`, `copy_to`, …), as Elasticsearch names them."""

    #: Settings that only make sense for some types.
    ONLY_FOR: ClassVar[Mapping[str, frozenset[str]]] = {
        "analyzer": frozenset({"text"}),
        "keyword": frozenset({"text"}),
        "autocomplete": frozenset({"text"}),
        "dims": frozenset({"dense_vector"}),
        "properties": frozenset({"object", "nested"}),
    }

    @model_validator(mode="before")
    @classmethod
    def _type_alone(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for setting, types in self.ONLY_FOR.items():
            if getattr(self, setting) and self.type is not None and self.type not in types:
                raise ValueError(f"{setting} is for fields of type {' or '.join(sorted(types))}, not {self.type}")
        for option in self.options:
            if option in type(self).model_fields:
                raise ValueError(f"{option} is a setting of its own: write it beside options, not in it")
        if "fields" in self.options:
            raise ValueError("sub-fields are chosen with keyword and autocomplete; declare another field for others")
        return self


class PollSettings(Section):
    """How changes are followed."""

    interval: Duration = 1.0
    """The pause between two polls."""
    batch_rows: int = Field(default=1000, ge=1, le=10_000)
    """Rows that are read, embedded and written together."""
    margin: Duration = 2.0
    """How far a row's watermark may lie behind the clock when its transaction begins: application clocks, stamps
    rounded down. With a `watermark_zone` that has daylight saving: at least `61m`."""
    rewind: Duration = 900.0
    """How far back polling starts when the source was restarted or failed over."""
    wakeup: Literal["none", "notify"] = "none"
    """What ends the pause early: `notify`, the triggers of `syncer install-triggers` tell of each commit that changes a
    table of the pipeline. Not for tables that transactions write to which are prepared for two-phase commit. See
    [operation](operation.md#wakeups)."""

    @property
    def wakes(self) -> bool:
        return self.wakeup == "notify"


class LimitSettings(Section):
    """What stops a pipeline."""

    rejections: int = Field(default=100, ge=0)
    """Rows that may be rejected before the pipeline stops: a broken mapping must not bury a table."""
    delete_ratio: float = Field(default=0.1, ge=0, le=1)
    """The share of an index's documents that `syncer verify --repair` may delete without `--force`, and that the daemon
    may where new triggers or feeds ask for a comparison. Not where the table was truncated."""


class RetentionSettings(Section):
    """Which indices stay after another took their place, for `syncer rollback`."""

    indices: int = Field(default=1, ge=0)
    """How many: the newest."""
    age: Duration = 7 * 86_400.0
    """For how long."""


class PipelineSettings(Section):
    """One alias in Elasticsearch, fed from one table and those related to it. Only `table` is required, or `query` with
    `key` and `feeds`."""

    table: Text = None
    """`schema.table` or `table`; a name with other characters in double quotes. A view needs `feeds`."""
    query: Text = None
    """In place of `table`: a SELECT that gives the key and what the documents are made of; see
    [relations](relations.md#a-query-or-a-view-of-your-own)."""
    key: Annotated[Annotated[tuple[Name, ...], Field(min_length=1)] | None, BeforeValidator(listed)] = None
    """The column that identifies a row, or a list; left out: the primary key."""
    watermark: Name = "updated_at"
    """The column that every insert and update sets to the current time."""
    watermark_zone: Annotated[Zone | None, BLANK_IS_NONE] = None
    """For a watermark without time zone: the zone its writers keep, `UTC` or `Europe/Berlin`."""
    soft_delete: Text = None
    """A column that says a row is deleted: a time that is set, or a boolean that is true."""
    where: Text = None
    """A condition in SQL over the row's own columns; rows that do not meet it have no document."""
    routing: Text = None
    """A column whose value decides on the document's shard, so that a search may name it as its `routing`. Needs the
    triggers of `syncer install-triggers`: they tell where the document of a row was that is gone, or routed anew. Or
    a column of a row that is related to it, `author.region`, which costs more and needs none; see
    [relations](relations.md#routing)."""
    index: IndexSettings = IndexSettings()
    fields: Mapping[Annotated[str, Field(min_length=1)], FieldSettings] | None = Field(default=None, min_length=1)
    """The document's fields by name; left out: every column, types inferred, and every relation."""
    relations: Mapping[RelationName, RelationSettings] = Field(default_factory=dict)
    """Other tables whose rows a document holds, by the name that fields take them by."""
    feeds: Mapping[Annotated[str, Field(min_length=1)], FeedSettings] = Field(default_factory=dict)
    """For a query or a view: the tables that tell which documents change, by their names."""
    embedding: EmbeddingSections | None = None
    transform: Annotated[FunctionReference | None, BLANK_IS_NONE] = None
    """A function of yours, `module:function`, that makes the document of a row's fields, or leaves the row out; see
    [transform](transform.md)."""
    poll: PollSettings = PollSettings()
    limits: LimitSettings = LimitSettings()
    on_change: Literal["refuse", "rebuild"] = "refuse"
    """What `syncer run` does about an index that was built from another configuration: `refuse` says how they differ,
    `rebuild` builds a new one beside it. New fields are added in place either way."""
    retention: RetentionSettings = RetentionSettings()
    lifecycle: LifecycleSettings | None = None
    schedule: ScheduleSettings = ScheduleSettings()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_root()
        taken = set(self.fields or ())
        for place, of in self.embeddings.items():
            if of.field in taken:
                raise Misplaced((*place, "field"), f"{of.field} is a field already; choose another name")
            taken.add(of.field)
            # What is inside of rows is known with their tables.
            fields = self.fields or {}
            unknown = [name for name in placeholders(of.text) if fields and not self._may_hold(fields, name)]
            if unknown:
                raise Misplaced((*place, "text"), f"{unknown[0]} is not among the fields ({', '.join(fields)})")
        for zone in (self.watermark_zone, *_zones(self.relations), *_zones_of_feeds(self.feeds)):
            if zone and zone_has_daylight_saving(zone) and self.poll.margin < DAYLIGHT_SAVING_MARGIN_SECONDS:
                raise Misplaced(
                    "poll.margin",
                    f"must be 61m or more: watermark_zone {zone} has daylight saving, so an hour of stamps comes twice "
                    "a year; or change the column to timestamptz",
                )
        if self.lifecycle and self.lifecycle.delete.min_age < self.retention.age:
            raise Misplaced(
                "lifecycle.delete.min_age",
                "must not be less than retention.age: Elasticsearch would delete an index that syncer keeps",
            )
        return self

    @property
    def embeddings(self) -> Mapping[Place, EmbeddingSettings]:
        """Return the sections of `embedding`, by their places."""
        return by_place(self.embedding)

    @property
    def routed_by_others(self) -> bool:
        """Tell whether a related row's column decides on the shard."""
        first, dot, _ = (self.routing or "").partition(".")
        return bool(dot) and first in self.relations

    def without_conditions(self) -> Self:
        """Return them as far as the catalogue alone tells whether they can be: a condition takes the right to read."""
        relations = {name: relation.without_conditions() for name, relation in self.relations.items()}
        feeds = {name: feed.without_conditions() for name, feed in self.feeds.items()}
        return self.model_copy(update={"where": None, "relations": relations, "feeds": feeds})

    def _check_root(self) -> None:
        """Refuse what does not go with a query or a view, or without one."""
        if self.table is None and self.query is None:
            raise Misplaced("table", "is missing: name one, or write a query")
        if self.table is not None and self.query is not None:
            raise Misplaced("query", "stands in place of table: leave one of them out")
        if self.query is not None and not self.feeds:
            raise Misplaced("feeds", "is missing: name the tables that tell which of the query's rows change")
        if not self.feeds:
            return
        if self.key is None:
            raise Misplaced("key", "is missing: a query or a view has no primary key")
        for setting, remedy in _NOT_WITH_FEEDS.items():
            if setting in self.model_fields_set and getattr(self, setting):
                raise Misplaced(setting, f"does not go with feeds: {remedy}")

    def _may_hold(self, fields: Mapping[str, FieldSettings], name: str) -> bool:
        first = name.partition(".")[0]
        within_rows = first in self.relations or (first in fields and fields[first].relation is not None)
        return name in fields or (first != name and within_rows)


def _zones(relations: Mapping[str, RelationSettings]) -> Iterator[str | None]:
    for relation in relations.values():
        joins: Sequence[JoinSettings] = (relation, *relation.through)
        yield from (join.watermark_zone for join in joins)
        yield from _zones(relation.relations)


def _zones_of_feeds(feeds: Mapping[str, FeedSettings]) -> Iterator[str | None]:
    for feed in feeds.values():
        yield feed.watermark_zone
        yield from _zones(feed.relations)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Sequence[str]:
    names: list[str] = []
    for name, value in settings.items():
        full = f"{prefix}{name}".removeprefix("index.")
        names += _flat(value, f"{full}.") if isinstance(value, Mapping) and full != "index" else [full]
        if full == "index" and isinstance(value, Mapping):
            names += _flat(value)
    return names
