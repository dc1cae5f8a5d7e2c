"""All metrics by name: what is exported, the reference, the dashboard and the alert rules are made of these."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What Prometheus does with a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric; the unit is in its name."""

    #: As it is queried; the series of a histogram have `_bucket`, `_sum` and `_count` behind it.
    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ("pipeline",)
    #: Upper bounds of a histogram's.
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which it is stored."""
        if self.kind is not Kind.HISTOGRAM:
            return (self.name,)
        return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))


_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_ROWS = (1, 10, 50, 100, 250, 500, 1000, 2500, 5000)

# Counted where the work is done, by `syncer run`.

ROWS_READ = Definition(
    "syncer_rows_read_total", Kind.COUNTER, "Keys that were read to be delivered, some of them twice."
)
DOCUMENTS = Definition(
    "syncer_documents_total",
    Kind.COUNTER,
    "Writes by their outcome: applied, unchanged, stale, rejected or deferred.",
    ("pipeline", "outcome"),
)
REFUSED = Definition(
    "syncer_documents_refused_total",
    Kind.COUNTER,
    "Of the rejected and deferred ones, how many for which reason.",
    ("pipeline", "outcome", "reason"),
)
TEXTS = Definition(
    "syncer_texts_total",
    Kind.COUNTER,
    "Texts by where their vectors came from: embedded or cached.",
    ("pipeline", "result"),
)
TRUNCATED = Definition("syncer_texts_truncated_total", Kind.COUNTER, "Texts whose end the model did not read.")
STEP_SECONDS = Definition(
    "syncer_step_duration_seconds",
    Kind.HISTOGRAM,
    "How long a step takes: a whole poll, or observe, read, hydrate, transform, compare, embed, write or commit.",
    ("pipeline", "step"),
    _SECONDS,
)
STEP_ROWS = Definition(
    "syncer_step_rows", Kind.HISTOGRAM, "How many rows a step is about at once.", ("pipeline", "step"), _ROWS
)
WRITES = Definition("syncer_writes_in_progress", Kind.GAUGE, "Bulk requests under way.")
PACE = Definition(
    "syncer_pace_ratio", Kind.GAUGE, "How much is sent at once, of what the settings allow: less while it is put off."
)
WINDOW = Definition("syncer_window_entries", Kind.GAUGE, "Changes remembered, so that they are not delivered again.")
LEADER = Definition("syncer_leader", Kind.GAUGE, "1 where this process follows the pipeline, 0 where it stands by.")
BACKOFFS = Definition(
    "syncer_backoffs_total",
    Kind.COUNTER,
    "Times that following was given up for a while, by the kind of the error.",
    ("pipeline", "error"),
)

# Counted by `syncer serve`.

REQUEST_SECONDS = Definition(
    "syncer_http_request_duration_seconds",
    Kind.HISTOGRAM,
    "How long requests take, by route and status.",
    ("route", "status"),
    _SECONDS,
)

# Looked at now and then, by both.

INFO = Definition("syncer_info", Kind.GAUGE, "1, with the version of this process.", ("version",))
LOOK_AGE = Definition(
    "syncer_look_age_seconds",
    Kind.GAUGE,
    "How old the following metrics are: they are of the last look at the servers that succeeded.",
    (),
)
LAG = Definition("syncer_lag_seconds", Kind.GAUGE, "How far behind the source's clock the index is.")
HORIZON_LAG = Definition(
    "syncer_horizon_lag_seconds", Kind.GAUGE, "How far behind it the checkpoint is, which open transactions hold back."
)
BLOCKER_AGE = Definition("syncer_blocker_age_seconds", Kind.GAUGE, "How long the oldest open transaction has been so.")
STATE = Definition(
    "syncer_pipeline_state",
    Kind.GAUGE,
    "1 for the state that the pipeline is in: new, loading, following, paused or stopped.",
    ("pipeline", "state"),
)
LEASE = Definition(
    "syncer_lease_info", Kind.GAUGE, "1, with the machine that holds the pipeline's lease.", ("pipeline", "holder")
)
PROBLEMS = Definition("syncer_problems", Kind.GAUGE, "What `syncer status` finds wrong, as a number of problems.")
INDEX_DOCUMENTS = Definition("syncer_index_documents", Kind.GAUGE, "Documents that searches find.")
INDEX_BYTES = Definition("syncer_index_bytes", Kind.GAUGE, "What the index takes on disk, its copies included.")
DEAD_LETTERS = Definition("syncer_dead_letters", Kind.GAUGE, "Rows that could not be indexed.")
RETRIED = Definition("syncer_dead_letters_retried", Kind.GAUGE, "Those of them that are tried again by themselves.")
UNREACHABLE = Definition(
    "syncer_unreachable_rows",
    Kind.GAUGE,
    "Rows that polling does not find, for their watermark is missing, infinite or in the future.",
    ("pipeline", "watermark"),
)
FAN_OUTS = Definition(
    "syncer_fan_outs", Kind.GAUGE, "Changes of related rows some of whose documents are still to be refreshed."
)
LOAD_ROWS = Definition("syncer_load_rows", Kind.GAUGE, "Rows that a load or a backfill under way is about.")
LOAD_SETTLED = Definition("syncer_load_settled_rows", Kind.GAUGE, "Those of them that are done.")
BUILDING = Definition(
    "syncer_rebuild_phase", Kind.GAUGE, "1 for the phase of an index that is being built.", ("pipeline", "phase")
)
VERIFY_NEEDED = Definition("syncer_verify_needed", Kind.GAUGE, "1 where the index should be compared with its table.")
VERIFIED = Definition(
    "syncer_verified_timestamp_seconds", Kind.GAUGE, "When the index was last found to be equal to its table."
)
VERIFY_DIFFERENCES = Definition(
    "syncer_verify_differences", Kind.GAUGE, "What the last verification has found and not mended."
)
JOB_STARTED = Definition(
    "syncer_job_started_timestamp_seconds",
    Kind.GAUGE,
    "When the last run of a job began, with its outcome.",
    ("pipeline", "job", "outcome"),
)

# Seen by the watch of `syncer run`.

ALERT = Definition(
    "syncer_alert_firing",
    Kind.GAUGE,
    "1 for what people were told of, and has not passed.",
    ("alert", "severity", "pipeline", "problem", "node"),
)
CLUSTER_STATUS = Definition(
    "syncer_cluster_status", Kind.GAUGE, "1 for the status of the cluster: green, yellow or red.", ("status",)
)
UNASSIGNED = Definition("syncer_cluster_unassigned_shards", Kind.GAUGE, "Copies of shards without a place.", ())
PENDING = Definition(
    "syncer_cluster_pending_tasks", Kind.GAUGE, "Changes of the cluster's state that wait for the master.", ()
)
NODE_HEAP = Definition("syncer_node_heap_used_ratio", Kind.GAUGE, "Of a node's heap, what is used.", ("node",))
NODE_DISK = Definition("syncer_node_disk_used_ratio", Kind.GAUGE, "Of a node's disk, what is used.", ("node",))
NODE_SHARDS = Definition("syncer_node_shards", Kind.GAUGE, "Shards on a node.", ("node",))
NODE_QUEUE = Definition(
    "syncer_node_queue_tasks", Kind.GAUGE, "Tasks that wait for a thread, by pool: search, write.", ("node", "pool")
)
NODE_REJECTED = Definition(
    "syncer_node_rejected_total",
    Kind.COUNTER,
    "Tasks that a node has refused, for the queue was full.",
    ("node", "pool"),
)
NODE_TRIPPED = Definition(
    "syncer_node_breakers_tripped_total",
    Kind.COUNTER,
    "Requests that a circuit breaker of a node has refused.",
    ("node",),
)
INDEX_QUERIES = Definition(
    "syncer_index_queries_total", Kind.COUNTER, "Queries on the shards of an index.", ("pipeline", "index")
)
INDEX_QUERY_SECONDS = Definition(
    "syncer_index_query_seconds_total", Kind.COUNTER, "How long they have taken.", ("pipeline", "index")
)
INDEX_WRITES = Definition(
    "syncer_index_writes_total",
    Kind.COUNTER,
    "Documents that the shards of an index have indexed.",
    ("pipeline", "index"),
)
INDEX_WRITE_SECONDS = Definition(
    "syncer_index_write_seconds_total", Kind.COUNTER, "How long that has taken.", ("pipeline", "index")
)

DEFINITIONS: tuple[Definition, ...] = tuple(each for each in list(globals().values()) if isinstance(each, Definition))
