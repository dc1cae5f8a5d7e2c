"""The kinds of faults, and what each needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos import schedule, succession
from tests.chaos.world import World


@dataclass(frozen=True, slots=True)
class Fault:
    """A schedule, and what it needs of its scenario."""

    schedule: Callable[[World], None]
    #: More than one: the others stand by.
    daemons: int = 1
    source_proxy: bool = False
    elastic_proxy: bool = False
    bulk_proxy: bool = False
    #: A Postgres whose clock steps.
    unsteady: bool = False
    #: Share of the written rows that the index refuses.
    spoil: float = 0.005
    #: Not in the short form: others do much the same.
    long: bool = False
    #: The index is compared with the table meanwhile.
    compares: bool = False
    #: It comes to an end by itself, and writers write until then.
    ends: bool = False
    #: A daemon may end by itself, and a supervisor starts it again.
    may_end: bool = False

    @property
    def name(self) -> str:
        return self.schedule.__name__.replace("_", "-")


FAULTS = {
    fault.name: fault
    for fault in (
        Fault(schedule.no_fault),
        Fault(schedule.syncer_killed),
        Fault(schedule.standby_takes_over, daemons=2, long=True),
        Fault(schedule.syncer_frozen, daemons=2),
        Fault(schedule.sessions_ended, long=True),
        Fault(schedule.elasticsearch_killed),
        Fault(schedule.postgres_killed),
        Fault(schedule.source_network, source_proxy=True),
        Fault(schedule.elastic_network, elastic_proxy=True),
        Fault(schedule.bulk_refused, bulk_proxy=True),
        Fault(schedule.index_blocked),
        Fault(schedule.shards_restarted, may_end=True),
        Fault(schedule.company, compares=True),
        Fault(schedule.clock_steps_back, unsteady=True),
        Fault(schedule.rows_refused, spoil=0.1),
        Fault(schedule.paused),
        Fault(schedule.table_truncated, long=True, compares=True),
        Fault(succession.rebuilt, ends=True, compares=True),
        Fault(schedule.mixture, source_proxy=True, elastic_proxy=True, bulk_proxy=True),
    )
}
