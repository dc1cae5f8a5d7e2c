"""What the answer to one write means."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Applied:
    """The index now holds what was sent; `created`: it held nothing before."""

    created: bool = False


@dataclass(frozen=True, slots=True)
class Stale:
    """Something at least as fresh is there, with this version where the answer names it. Settled, and normal."""

    current: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """This row cannot be indexed as it is: a dead letter. `passing`: it may be able to later, without a change."""

    kind: str
    reason: str
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now: the row is sent again, hydrated and numbered anew.

    suspect: it may be the row's own fault; after some attempts it is rejected, so that it is not put off for ever.
    """

    reason: str
    retry_after: float | None = None
    suspect: bool = False

    def given_up(self) -> Rejected:
        """Return what becomes of a suspect after its last attempt."""
        return Rejected("internal_error", self.reason, passing=True)


Outcome = Applied | Stale | Rejected | Deferred

#: Item errors that pass by themselves: no primary, a full queue, a tripped circuit breaker, a read-only disk.
_DEFERRED_STATUS = frozenset({429, 502, 503, 504})
#: An error inside the server: it may be in trouble, or this very row may be what it stumbles over, every time.
_SUSPECT_STATUS = 500
_PASSING_KINDS = frozenset(
    {"cluster_block_exception", "unavailable_shards_exception", "es_rejected_execution_exception"}
)
_CURRENT_VERSION = re.compile(r"current version \[(\d+)\]")


def classify(operation: str, status: int, kind: str = "", reason: str = "", result: str = "") -> Outcome:
    """Return what an item of a bulk answer means.

    operation: `index` or `delete`. kind: `error.type`. result: `created`, `updated`, `deleted` or `not_found`.
    Decided by status and error type, never by the wording, but for the version that a conflict names only there.
    """
    if 200 <= status < 300:
        return Applied(created=result == "created")
    if operation == "delete" and status == 404 and not kind:
        return Applied()
    if status == 409:
        found = _CURRENT_VERSION.search(reason)
        return Stale(int(found[1]) if found else None)
    said = f"{kind}: {reason}" if kind else f"status {status}"
    if status in _DEFERRED_STATUS or kind in _PASSING_KINDS:
        return Deferred(said)
    if status == _SUSPECT_STATUS:
        return Deferred(said, suspect=True)
    return Rejected(kind or f"status_{status}", reason or f"Elasticsearch answered with status {status}")
