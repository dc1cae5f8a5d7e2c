"""A Grafana dashboard of the metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncer.app.metrics import definition as of
from syncer.app.metrics.definition import Definition

#: Of a dashboard's 24 columns; and the height of a panel in Grafana's own unit.
_WIDTH, _HEIGHT = 8, 7
_PER_ROW = 24 // _WIDTH
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart: queries in PromQL by the name of their lines."""

    title: str
    #: As Grafana calls it.
    unit: str
    queries: Mapping[str, str]
    description: str


def _latest(metric: Definition, *labels: str) -> str:
    """Return the query for what a look has told: every process has looked, and one tells as well as another."""
    return f'max by ({", ".join(("pipeline", *labels))}) ({metric.name}{{pipeline=~"$pipeline"}})'


def _rate(metric: Definition, *labels: str) -> str:
    """Return the query for how much is counted a second, by all processes together."""
    return (
        f'sum by ({", ".join(("pipeline", *labels))}) (rate({metric.name}{{pipeline=~"$pipeline"}}[$__rate_interval]))'
    )


def _quantile(share: float, metric: Definition, label: str, chosen: str = "") -> str:
    return (
        f"histogram_quantile({share}, sum by (le, {label}) (rate({metric.name}_bucket{{{chosen}}}[$__rate_interval])))"
    )


_OF_PIPELINES = 'pipeline=~"$pipeline"'

PANELS: Sequence[Panel] = (
    Panel("Lag", "s", {"{{pipeline}}": _latest(of.LAG)}, of.LAG.help),
    Panel(
        "Held back",
        "s",
        {
            "checkpoint of {{pipeline}}": _latest(of.HORIZON_LAG),
            "oldest transaction, {{pipeline}}": _latest(of.BLOCKER_AGE),
        },
        "Open transactions hold the checkpoint back: rows may still appear below it.",
    ),
    Panel("State", "short", {"{{pipeline}} {{state}}": f"{_latest(of.STATE, 'state')} == 1"}, of.STATE.help),
    Panel("Writes", "ops", {"{{pipeline}} {{outcome}}": _rate(of.DOCUMENTS, "outcome")}, of.DOCUMENTS.help),
    Panel(
        "Refused",
        "ops",
        {"{{pipeline}} {{outcome}}: {{reason}}": _rate(of.REFUSED, "outcome", "reason")},
        of.REFUSED.help,
    ),
    Panel("Dead letters", "short", {"{{pipeline}}": _latest(of.DEAD_LETTERS)}, of.DEAD_LETTERS.help),
    Panel(
        "Steps, 95 of 100 take at most",
        "s",
        {"{{step}}": _quantile(0.95, of.STEP_SECONDS, "step", _OF_PIPELINES)},
        of.STEP_SECONDS.help,
    ),
    Panel(
        "Rows in a step, the median",
        "short",
        {"{{step}}": _quantile(0.5, of.STEP_ROWS, "step", _OF_PIPELINES)},
        of.STEP_ROWS.help,
    ),
    Panel(
        "Pressure",
        "short",
        {"pace of {{pipeline}}": _latest(of.PACE), "bulk requests of {{pipeline}}": _latest(of.WRITES)},
        of.PACE.help,
    ),
    Panel(
        "Texts",
        "ops",
        {"{{pipeline}} {{result}}": _rate(of.TEXTS, "result"), "{{pipeline}} truncated": _rate(of.TRUNCATED)},
        of.TEXTS.help,
    ),
    Panel("Documents", "short", {"{{pipeline}}": _latest(of.INDEX_DOCUMENTS)}, of.INDEX_DOCUMENTS.help),
    Panel("Index size", "bytes", {"{{pipeline}}": _latest(of.INDEX_BYTES)}, of.INDEX_BYTES.help),
    Panel(
        "Found by the last verification",
        "short",
        {"{{pipeline}}": _latest(of.VERIFY_DIFFERENCES)},
        of.VERIFY_DIFFERENCES.help,
    ),
    Panel(
        "Since the index was proved equal",
        "s",
        {"{{pipeline}}": f"time() - {_latest(of.VERIFIED)}"},
        of.VERIFIED.help,
    ),
    Panel("Given up for a while", "ops", {"{{pipeline}} {{error}}": _rate(of.BACKOFFS, "error")}, of.BACKOFFS.help),
    Panel(
        "Requests",
        "reqps",
        {"{{route}} {{status}}": f"sum by (route, status) (rate({of.REQUEST_SECONDS.name}_count[$__rate_interval]))"},
        "What `syncer serve` answers.",
    ),
    Panel(
        "Requests, 99 of 100 take at most",
        "s",
        {"{{route}}": _quantile(0.99, of.REQUEST_SECONDS, "route")},
        of.REQUEST_SECONDS.help,
    ),
    Panel(
        "Alerts",
        "short",
        {"{{alert}} {{pipeline}}{{node}}": f"max by (alert, pipeline, node) ({of.ALERT.name})"},
        of.ALERT.help,
    ),
    Panel(
        "A query of a shard, the mean",
        "s",
        {
            "{{index}}": f"max by (index) (rate({of.INDEX_QUERY_SECONDS.name}[$__rate_interval]) "
            f"/ rate({of.INDEX_QUERIES.name}[$__rate_interval]))"
        },
        "As Elasticsearch counts it, whoever asks.",
    ),
    Panel(
        "Indexing of a document, the mean",
        "s",
        {
            "{{index}}": f"max by (index) (rate({of.INDEX_WRITE_SECONDS.name}[$__rate_interval]) "
            f"/ rate({of.INDEX_WRITES.name}[$__rate_interval]))"
        },
        "As Elasticsearch counts it, whoever writes.",
    ),
    Panel(
        "Nodes",
        "percentunit",
        {
            "heap of {{node}}": f"max by (node) ({of.NODE_HEAP.name})",
            "disk of {{node}}": f"max by (node) ({of.NODE_DISK.name})",
        },
        "How full they are.",
    ),
    Panel(
        "Refused by nodes",
        "ops",
        {
            "{{node}} {{pool}}": f"max by (node, pool) (rate({of.NODE_REJECTED.name}[$__rate_interval]))",
            "{{node}} breakers": f"max by (node) (rate({of.NODE_TRIPPED.name}[$__rate_interval]))",
        },
        of.NODE_REJECTED.help,
    ),
    Panel(
        "Waiting",
        "short",
        {
            "{{node}} {{pool}}": f"max by (node, pool) ({of.NODE_QUEUE.name})",
            "unassigned shards": f"max({of.UNASSIGNED.name})",
            "pending tasks": f"max({of.PENDING.name})",
        },
        "Tasks, shards without a place, and changes of the cluster's state.",
    ),
    Panel(
        "Memory",
        "bytes",
        {"{{instance}}": f"process_resident_memory_bytes * on (instance, job) group_left {of.INFO.name}"},
        "Of the processes of syncer.",
    ),
)


def dashboard() -> Mapping[str, Any]:
    """Return the dashboard as Grafana imports it; it asks for the data source and the pipelines."""
    return {
        "title": "syncer",
        "uid": "syncer",
        "tags": ["syncer", "elasticsearch", "postgres"],
        "timezone": "browser",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus"},
                {
                    "name": "pipeline",
                    "type": "query",
                    "datasource": _DATASOURCE,
                    "query": f"label_values({of.STATE.name}, pipeline)",
                    "includeAll": True,
                    "multi": True,
                    "refresh": 2,
                },
            ]
        },
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def _panel(number: int, panel: Panel) -> Mapping[str, Any]:
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": _DATASOURCE,
        "gridPos": {
            "x": number % _PER_ROW * _WIDTH,
            "y": number // _PER_ROW * _HEIGHT,
            "w": _WIDTH,
            "h": _HEIGHT,
        },
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "expr": query, "legendFormat": legend, "datasource": _DATASOURCE}
            for place, (legend, query) in enumerate(panel.queries.items())
        ],
    }
