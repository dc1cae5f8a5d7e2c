"""`syncer cluster`: how Elasticsearch is, and what the pipelines' indices do there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from syncer.adapters.elastic.cluster import ElasticCluster
from syncer.app.cluster_advice import Advice, advice
from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.core.cluster import ClusterLook, IndexLook, NodeLook, Recent, Watermark, recent

_COLOURS = {"green": "green", "yellow": "yellow", "red": "red"}


def cluster(invocation: Invocation, requested: Sequence[str], *, interval_seconds: float) -> ExitCode:
    """Look twice, and print what is, what was done in between, and what asks for attention."""
    with invocation.application() as (application, clock):
        names = application.names(requested)
        aliases = {name: application.settings.alias(name) for name in names}
        server = ElasticCluster(application.elasticsearch, aliases)
        before = server.look(clock.monotonic())
        clock.wait(interval_seconds)
        look = server.look(clock.monotonic())
    between = {each.name: each for each in recent(before, look)}
    found = list(advice(look, aliases))
    invocation.show(_document(look, between, found), lambda: _report(look, between, found))
    return ExitCode.DONE


def _document(look: ClusterLook, between: Mapping[str, Recent], found: Sequence[Advice]) -> Mapping[str, Any]:
    """Return the fields that scripts rely on."""
    whole = asdict(look)
    del whole["at"]
    return {
        **whole,
        "watermarks": {name: str(mark) if mark else None for name, mark in _marks(look)},
        "indices": [
            {
                **asdict(index),
                "mean_query_ms": _rounded(index.mean_query_ms),
                "mean_indexing_ms": _rounded(index.mean_indexing_ms),
                "recent": _between(between.get(index.name)),
            }
            for index in look.indices
        ],
        "advice": [asdict(each) for each in found],
    }


def _between(of: Recent | None) -> Mapping[str, Any] | None:
    if of is None:
        return None
    return {
        "seconds": _rounded(of.seconds),
        "queries": of.queries,
        "mean_query_ms": _rounded(of.mean_query_ms),
        "indexed": of.indexed,
        "mean_indexing_ms": _rounded(of.mean_indexing_ms),
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)


def _report(look: ClusterLook, between: Mapping[str, Recent], found: Sequence[Advice]) -> RenderableType:
    parts: list[RenderableType] = [*_summary(look)]
    if look.nodes:
        parts += [Text(), _nodes(look.nodes)]
    if look.indices:
        parts += [Text(), _indices(look.indices, between)]
    if found or look.unknown:
        parts.append(Text())
    parts += [Text(f"{each.what}\n  → {each.remedy}") for each in found]
    parts += [Text(f"not known: {each}") for each in look.unknown]
    return Group(*parts)


def _summary(look: ClusterLook) -> Iterator[Text]:
    status = look.status or "not known"
    nodes = f", {look.data_nodes} data nodes" if look.data_nodes is not None else ""
    yield Text.assemble(f"cluster {look.name or '–'}: ", (status, _COLOURS.get(status, "")), nodes)
    shards = f"shards: {_count(look.unassigned_shards)} unassigned, {_count(look.moving_shards)} moving"
    if counts := look.shard_counts:
        shards += f", {counts[0]} to {counts[1]} on a node"
    yield Text(f"{shards}; pending tasks: {_count(look.pending_tasks)}")
    marks = [f"{name.replace('_', ' ')} {mark}" for name, mark in _marks(look) if mark]
    if marks:
        yield Text(f"disk watermarks: {', '.join(marks)}")


def _marks(look: ClusterLook) -> Sequence[tuple[str, Watermark | None]]:
    marks = look.watermarks
    return [("low", marks.low), ("high", marks.high), ("flood_stage", marks.flood_stage)]


def _nodes(nodes: Sequence[NodeLook]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("node", no_wrap=True)
    for heading in (
        "heap",
        "disk",
        "free",
        "shards",
        "searches waiting, refused",
        "writes waiting, refused",
        "breakers",
    ):
        table.add_column(heading, justify="right")
    for node in nodes:
        table.add_row(
            node.name,
            _percent(node.heap_percent),
            _percent(node.disk_percent),
            _size(node.disk_free_bytes),
            _count(node.shards),
            f"{_count(node.search_queue)}, {_count(node.search_rejected)}",
            f"{_count(node.write_queue)}, {_count(node.write_rejected)}",
            _count(node.breakers_tripped),
        )
    return table


def _indices(indices: Sequence[IndexLook], between: Mapping[str, Recent]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("pipeline", "index", "health"):
        table.add_column(heading, no_wrap=True)
    for heading in ("documents", "size", "query", "now", "indexing", "now"):
        table.add_column(heading, justify="right")
    for index in indices:
        now = between.get(index.name)
        table.add_row(
            index.pipeline,
            index.name,
            Text(index.health or "–", _COLOURS.get(index.health or "", "")),
            _count(index.documents),
            _size(index.bytes),
            _milliseconds(index.mean_query_ms),
            _rate(now.queries, now.mean_query_ms, now.seconds) if now else "–",
            _milliseconds(index.mean_indexing_ms),
            _rate(now.indexed, now.mean_indexing_ms, now.seconds) if now else "–",
        )
    return table


def _rate(count: int | None, mean_ms: float | None, seconds: float) -> str:
    if count is None or seconds <= 0:
        return "–"
    return f"{count / seconds:,.1f}/s" + (f" of {mean_ms:.2f} ms" if mean_ms is not None else "")


def _milliseconds(number: float | None) -> str:
    return "–" if number is None else f"{number:.2f} ms"


def _percent(number: float | None) -> str:
    return "–" if number is None else f"{number:.0f} %"


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _size(size: int | None) -> str:
    return "–" if size is None else decimal(size)
