"""The rules: what of a look people are told. Each has a threshold; None or False switches it off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from syncer.core.alert import Alert, Condition, Judgement, Severity
from syncer.core.cluster import ClusterLook, NodeLook, rejected_since
from syncer.core.problem import Problem, ProblemKind

RED, YELLOW, DISK, HEAP = "SyncerClusterRed", "SyncerClusterYellow", "SyncerDisk", "SyncerHeap"
REJECTIONS, SLOW = "SyncerRejections", "SyncerSlowQueries"
LAGGING, STOPPED, TROUBLE = "SyncerLagging", "SyncerStopped", "SyncerTrouble"
LETTERS, DIFFERENCES = "SyncerDeadLetters", "SyncerDifferences"

#: Of the cluster; SLOW is of the queries that are measured, and the others of pipelines.
OF_CLUSTER = frozenset({RED, YELLOW, DISK, HEAP, REJECTIONS})

#: How long a cluster must be red: an index that is created is, until its shards have a place.
_RED_SECONDS = 20.0
#: How long a heap must be too full: garbage is collected now and then.
_HEAP_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on people are told; seconds are for how long something must hold, where it says no other."""

    red: bool = True
    yellow_seconds: float | None = 900.0
    disk_percent: float | None = 85.0
    heap_percent: float | None = 90.0
    rejections: bool = True
    #: What a query may take.
    query_p99_seconds: float | None = 1.0
    #: How far a pipeline may be behind.
    lag_seconds: float | None = 300.0
    stopped_seconds: float | None = 60.0
    trouble_seconds: float | None = 30.0
    dead_letters: bool = True
    differences: bool = True


@dataclass(frozen=True, slots=True)
class PipelineLook:
    """What the rules know of a pipeline; None: not known."""

    name: str
    #: See `PipelineStatus.state`.
    state: str
    lag_seconds: float | None = None
    dead_letters: int | None = None
    #: What the last verification has found and not mended.
    differences: float | None = None
    problems: Sequence[Problem] = ()


@dataclass(frozen=True, slots=True)
class QueryLook:
    """How long queries took lately."""

    #: Whose they are: a pipeline's, or those of all that the API serves.
    labels: tuple[tuple[str, str], ...]
    #: None: there were too few.
    p99_seconds: float | None
    #: How many there were, and how far they reach back.
    queries: int
    minutes: float
    #: Whether they were measured for all of that time.
    whole: bool = True


def judge_cluster(look: ClusterLook | None, before: ClusterLook | None, thresholds: Thresholds) -> Judgement:
    """Return what a look finds; before: the look before it, None: there is none. look None: it has failed."""
    if look is None:
        return Judgement([], OF_CLUSTER)
    unjudged = {
        *([RED, YELLOW] if look.status is None else []),
        *([DISK, HEAP, REJECTIONS] if not look.nodes else []),
        *([REJECTIONS] if before is None or not before.nodes else []),
    }
    found = [*_health(look, thresholds), *(each for node in look.nodes for each in _node(node, thresholds))]
    if before is not None and thresholds.rejections:
        found += [_rejections(node, more) for node, more in rejected_since(before, look).items()]
    return Judgement(found, frozenset(unjudged))


def judge_pipeline(look: PipelineLook, thresholds: Thresholds) -> Judgement:
    """Return what a look finds. A pause is meant: whoever paused a pipeline need not be told that it lags."""
    unjudged = {
        name for name, known in ((LETTERS, look.dead_letters), (DIFFERENCES, look.differences)) if known is None
    }
    return Judgement(list(_pipeline(look, thresholds)), frozenset(unjudged))


def judge_queries(look: QueryLook, thresholds: Thresholds) -> Judgement:
    """Return whether queries take too long. Where few are sent they do not; after a start that is not known yet."""
    objective = thresholds.query_p99_seconds
    if look.p99_seconds is None:
        return Judgement([], frozenset() if look.whole or objective is None else frozenset({SLOW}))
    if objective is None or look.p99_seconds <= objective:
        return Judgement([])
    said = (
        f"one of a hundred queries takes {look.p99_seconds:.2f} s or more, of {look.queries:,} in "
        f"{look.minutes:.0f} minutes; {objective:g} s is the objective"
    )
    remedy = "`syncer cluster` shows which index is slow, nodes that are busy, and how slow queries are logged"
    return Judgement([Condition(Alert(SLOW, Severity.WARNING, said, remedy, dict(look.labels)))])


def _health(look: ClusterLook, thresholds: Thresholds) -> Iterator[Condition]:
    explain = (
        "`syncer cluster` names those of the pipelines, GET /_cat/indices?health=red all that are red, "
        "and GET /_cluster/allocation/explain what keeps a shard away"
    )
    unassigned = "" if look.unassigned_shards is None else f": {look.unassigned_shards} shards are away"
    if look.status == "red" and thresholds.red:
        said = f"the cluster is red{unassigned}, and what a primary holds can be neither searched nor written"
        yield Condition(Alert(RED, Severity.CRITICAL, said, explain), _RED_SECONDS)
    if look.status in {"yellow", "red"} and thresholds.yellow_seconds is not None:
        # A red one counts: it becomes yellow on its way to green.
        said = f"the cluster is {look.status}{unassigned}"
        yield Condition(Alert(YELLOW, Severity.WARNING, said, explain), thresholds.yellow_seconds)


def _node(node: NodeLook, thresholds: Thresholds) -> Iterator[Condition]:
    labels = {"node": node.name}
    disk, heap = thresholds.disk_percent, thresholds.heap_percent
    if disk is not None and node.disk_percent is not None and node.disk_percent > disk:
        said = f"node {node.name} uses {node.disk_percent:.1f} % of its disk; {disk:g} % is the bound"
        remedy = "`syncer indices` lists kept indices to delete; else add disk or a node, before writes are refused"
        yield Condition(Alert(DISK, Severity.CRITICAL, said, remedy, labels))
    if heap is not None and node.heap_percent is not None and node.heap_percent > heap:
        said = f"node {node.name} uses {node.heap_percent:.0f} % of its heap; {heap:g} % is the bound"
        remedy = "give it more heap, up to half of the memory and 31 GB, or spread shards over more nodes"
        yield Condition(Alert(HEAP, Severity.WARNING, said, remedy, labels), _HEAP_SECONDS)


def _rejections(node: str, more: int) -> Condition:
    said = f"node {node} has refused {more:,} searches or writes since the last look, for its queues are full"
    remedy = "`syncer cluster` tells which; fewer at once, or more nodes. syncer tries refused writes again"
    return Condition(Alert(REJECTIONS, Severity.WARNING, said, remedy, {"node": node}))


def judge_end(pipeline: str, kind: str, of: Thresholds) -> Judgement:
    """Return what is told at once where a pipeline has ended with an error: who is to look afterwards may end with it.

    kind: of the error; its words may quote rows.
    """
    others = frozenset({LAGGING, TROUBLE, LETTERS, DIFFERENCES, SLOW})
    alert = _stopped(pipeline, f"pipeline {pipeline} has ended with an error: {kind}")
    return Judgement([] if of.stopped_seconds is None else [Condition(alert)], others)


def _stopped(pipeline: str, said: str) -> Alert:
    remedy = (
        "the log of `syncer run` has what the pipeline waits for, or ended with; when that is mended, start it again, "
        "also where it goes on with other pipelines"
    )
    return Alert(STOPPED, Severity.CRITICAL, said, remedy, {"pipeline": pipeline})


def _pipeline(look: PipelineLook, of: Thresholds) -> Iterator[Condition]:
    name = look.name

    def alert(kind: str, severity: Severity, said: str, remedy: str, **more: str) -> Alert:
        return Alert(kind, severity, said, remedy, {"pipeline": name, **more})

    if look.state == "stopped" and of.stopped_seconds is not None:
        yield Condition(_stopped(name, f"nobody follows pipeline {name}"), of.stopped_seconds)
    behind = look.lag_seconds
    if of.lag_seconds is not None and behind is not None and behind > of.lag_seconds and look.state != "paused":
        said = f"pipeline {name} is {behind:.0f} s behind; {of.lag_seconds:g} s is the objective"
        yield Condition(alert(LAGGING, Severity.WARNING, said, f"`syncer status {name}` names what holds it up"))
    if look.dead_letters and of.dead_letters:
        said = f"rows of pipeline {name} that could not be indexed: {look.dead_letters:,}"
        remedy = f"`syncer dead-letters list {name}` groups them by cause"
        yield Condition(alert(LETTERS, Severity.WARNING, said, remedy))
    if look.differences and of.differences:
        said = f"documents of pipeline {name} that were not as their rows: {look.differences:,.0f}"
        yield Condition(alert(DIFFERENCES, Severity.CRITICAL, said, f"`syncer verify {name} --repair` mends them"))
    if of.trouble_seconds is not None:
        # Several feeds may put documents off: one of each kind.
        for problem in {each.kind: each for each in reversed(look.problems)}.values():
            said, remedy = f"pipeline {name}: {problem.outward}", f"`syncer check {name}` tells what to do"
            if problem.kind is ProblemKind.PUT_OFF:
                remedy = f"they are tried again by themselves; `syncer status {name}` and `syncer cluster` tell why"
            trouble = alert(TROUBLE, Severity.WARNING, said, remedy, problem=problem.kind.value)
            yield Condition(trouble, of.trouble_seconds)
