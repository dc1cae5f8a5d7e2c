"""The settings of index lifecycle management (ILM)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from syncer.app.setting_type import Duration, Misplaced, Section

_DAY = 86_400.0

#: What ILM could do with an index, and why it may not: syncer writes to it in every phase.
_REFUSED = {
    "readonly": "would refuse the changes that syncer follows",
    "forcemerge": "is for an index that nobody writes to; syncer writes to it in every phase",
    "rollover": "would begin an index that syncer does not know; a new one is what `syncer rebuild` makes",
    "shrink": "would put an index in place that syncer does not know",
    "downsample": "would put an index in place that syncer does not know",
    "searchable_snapshot": "would put an index in place that nobody can write to",
    "frozen": "would put an index in place that nobody can write to",
    "number_of_replicas": "is set by index.replicas, in every phase",
}


class _Harmless(Section):
    """Tells why an action of ILM is not among the settings, where one knows it from elsewhere."""

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, value: Any) -> Any:
        for name in value if isinstance(value, Mapping) else ():
            if name in _REFUSED:
                raise Misplaced(str(name), _REFUSED[name])
        return value


class HotSettings(_Harmless):
    """The phase that an index begins in."""

    priority: int = Field(default=100, ge=0)
    """Indices with a higher one are recovered first when a node restarts."""


class WarmSettings(_Harmless):
    """The phase after it, where it is given: `warm: {}` takes the defaults."""

    min_age: Duration = 30 * _DAY
    """Since the physical index was created."""
    priority: int = Field(default=50, ge=0)
    """As in `hot`."""
    nodes: Mapping[str, str] = Field(default_factory=dict)
    """The nodes that the shards move to, by attribute: `{data: warm}` for nodes with `node.attr.data: warm`. Left out:
    those of the data tier `data_warm`, where there are any."""


class ColdSettings(_Harmless):
    """The last phase of an index that is followed, where it is given."""

    min_age: Duration = 90 * _DAY
    """Since the physical index was created."""
    priority: int = Field(default=0, ge=0)
    """As in `hot`."""
    nodes: Mapping[str, str] = Field(default_factory=dict)
    """As in `warm`; left out: those of the data tier `data_cold`, or else `data_warm`, where there are any."""


class DeleteSettings(_Harmless):
    """When Elasticsearch deletes an index that is kept to be rolled back to; never the one that is followed."""

    min_age: Duration = 30 * _DAY
    """Since another index took its place. For an index that syncer itself no longer retires."""


class LifecycleSettings(_Harmless):
    """What Elasticsearch does with the indices as they age: `lifecycle: {}` takes the defaults, without it nothing."""

    hot: HotSettings = HotSettings()
    warm: WarmSettings | None = None
    cold: ColdSettings | None = None
    delete: DeleteSettings = DeleteSettings()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.warm and self.cold and self.cold.min_age < self.warm.min_age:
            raise Misplaced("cold.min_age", "must not be less than warm.min_age: an index is warm before it is cold")
        if self.warm and self.warm.nodes and self.cold and not self.cold.nodes:
            raise Misplaced("cold.nodes", "is needed beside warm.nodes, which hold for a cold index too")
        return self
