"""What is wrong with a pipeline, as a look at it tells."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ProblemKind(StrEnum):
    """What the trouble is with; also a label, so that two troubles of a pipeline are two alerts."""

    TABLE = "table"
    SOURCE = "source"
    ELASTICSEARCH = "elasticsearch"
    #: Searches do not find what the pipeline writes.
    ALIAS = "alias"
    PUT_OFF = "put_off"
    REBUILD = "rebuild"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing."""

    kind: ProblemKind
    #: For whoever may see the rows: a server that refuses one may quote it.
    said: str
    #: For everybody else, and for other machines; None: `said` quotes nothing.
    told: str | None = None

    @property
    def outward(self) -> str:
        """What may leave the machine."""
        return self.said if self.told is None else self.told
