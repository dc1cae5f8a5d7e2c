"""Alert rules for Prometheus, on the metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncer.app.metrics import definition as of


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert."""

    name: str
    #: PromQL that finds something while the alert holds.
    query: str
    #: How long it must hold.
    for_: str
    severity: str
    summary: str
    #: What to do.
    remedy: str


RULES: Sequence[Rule] = (
    Rule(
        "SyncerDown",
        f"absent({of.INFO.name})",
        "5m",
        "critical",
        "No process of syncer is scraped.",
        "Is `syncer run --listen` running, and does Prometheus reach it?",
    ),
    Rule(
        "SyncerBlind",
        f"{of.LOOK_AGE.name} > 120",
        "2m",
        "warning",
        "A process of syncer cannot look at its state.",
        "Its log and /readyz tell why: does the state database answer?",
    ),
    Rule(
        "SyncerStopped",
        f'max by (pipeline) ({of.STATE.name}{{state="stopped"}}) == 1',
        "5m",
        "critical",
        "Nobody follows pipeline {{ $labels.pipeline }}.",
        "`syncer status` tells why, and the log of `syncer run` with what it ended.",
    ),
    Rule(
        "SyncerLagging",
        f"max by (pipeline) ({of.LAG.name}) > 300",
        "5m",
        "warning",
        "Pipeline {{ $labels.pipeline }} is {{ $value | humanizeDuration }} behind.",
        "`syncer status` names what holds it up.",
    ),
    Rule(
        "SyncerHeldBack",
        f"max by (pipeline) ({of.BLOCKER_AGE.name}) > 3600",
        "5m",
        "warning",
        "A transaction has been open for {{ $value | humanizeDuration }}.",
        "`syncer status` names it; it delays no other row, but a new process reads more of them twice.",
    ),
    Rule(
        "SyncerDeadLetters",
        f"max by (pipeline) ({of.DEAD_LETTERS.name}) > 0",
        "15m",
        "warning",
        "{{ $value }} rows of pipeline {{ $labels.pipeline }} could not be indexed.",
        "`syncer dead-letters list {{ $labels.pipeline }}` groups them by cause.",
    ),
    Rule(
        "SyncerDifferences",
        f"max by (pipeline) ({of.VERIFY_DIFFERENCES.name}) > 0",
        "0m",
        "critical",
        "{{ $value }} documents of pipeline {{ $labels.pipeline }} were not as their rows.",
        "`syncer verify {{ $labels.pipeline }} --repair` mends them; docs/verify.md tells how they come about.",
    ),
    Rule(
        "SyncerDeferring",
        f'sum by (pipeline) (rate({of.DOCUMENTS.name}{{outcome="deferred"}}[5m])) > 0',
        "15m",
        "warning",
        "Elasticsearch has put off documents of pipeline {{ $labels.pipeline }} for 15 minutes.",
        f"{of.REFUSED.name} tells the reasons; `syncer cluster` looks for a full disk, rejections and open breakers.",
    ),
    Rule(
        "SyncerBackingOff",
        f"sum by (pipeline, error) (increase({of.BACKOFFS.name}[15m])) > 10",
        "0m",
        "warning",
        "Following pipeline {{ $labels.pipeline }} fails again and again with {{ $labels.error }}.",
        "The log of `syncer run` has the errors.",
    ),
    Rule(
        "SyncerClusterRed",
        f'max({of.CLUSTER_STATUS.name}{{status="red"}}) == 1',
        "1m",
        "critical",
        "A primary shard of the cluster is away: its documents are neither found nor written.",
        "`syncer cluster` names what is wrong, and what to do.",
    ),
    Rule(
        "SyncerDiskFull",
        f"max by (node) ({of.NODE_DISK.name}) > 0.85",
        "5m",
        "warning",
        "Node {{ $labels.node }} uses {{ $value | humanizePercentage }} of its disk.",
        "Beyond the watermarks that `syncer cluster` shows, its indices cannot be written.",
    ),
    Rule(
        "SyncerClusterRefuses",
        f"sum by (node, pool) (increase({of.NODE_REJECTED.name}[5m])) > 0",
        "5m",
        "warning",
        "Node {{ $labels.node }} refuses {{ $labels.pool }} tasks: its queue is full.",
        "Fewer or smaller requests at once, or more nodes; syncer itself slows down.",
    ),
    Rule(
        "SyncerSearchesFail",
        f'sum(rate({of.REQUEST_SECONDS.name}_count{{status=~"5.."}}[5m])) '
        f"> 0.05 * sum(rate({of.REQUEST_SECONDS.name}_count[5m]))",
        "5m",
        "critical",
        "More than 5 % of requests to `syncer serve` fail.",
        "Its log has a line for each; /readyz names what is away.",
    ),
)


def rules() -> Mapping[str, Any]:
    """Return the rules as Prometheus reads them, in YAML."""
    return {
        "groups": [
            {
                "name": "syncer",
                "rules": [
                    {
                        "alert": rule.name,
                        "expr": rule.query,
                        "for": rule.for_,
                        "labels": {"severity": rule.severity},
                        "annotations": {"summary": rule.summary, "description": rule.remedy},
                    }
                    for rule in RULES
                ],
            }
        ]
    }
