"""Index lifecycle management: would Elasticsearch do with the indices as they age what is asked for."""

from __future__ import annotations

from collections.abc import Iterator

from syncer.app.blueprint import Blueprint
from syncer.app.check.finding import Finding, Severity, info
from syncer.app.wiring import Application
from syncer.core.error import LifecycleRefused
from syncer.core.index import IndexRecord


def check_lifecycle(application: Application, plan: Blueprint, index: str) -> Iterator[Finding]:
    """Try all calls on an index that is there for that."""
    if plan.settings.lifecycle is None:
        return
    setting = f"pipelines.{plan.name}.lifecycle"
    try:
        application.lifecycle(plan.settings).rehearse(index)
    except LifecycleRefused as refused:
        yield Finding(
            Severity.WARNING,
            setting,
            refused.message,
            "indices do not age; rows are followed all the same",
            refused.hint,
        )
    else:
        yield info(setting, "Elasticsearch takes the policies")


def check_policy(application: Application, plan: Blueprint, record: IndexRecord) -> Iterator[Finding]:
    """Look whether somebody else lets the pipeline's index age."""
    try:
        application.lifecycle(plan.settings).prove(record)
    except LifecycleRefused as refused:
        yield Finding(
            Severity.WARNING,
            f"pipelines.{plan.name}.index",
            refused.message,
            "the pipeline stops when that happens",
            refused.hint,
        )
