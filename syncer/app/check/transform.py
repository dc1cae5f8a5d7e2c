"""A pipeline's transform: it can be loaded, and is the one that is meant."""

from __future__ import annotations

from collections.abc import Iterator

from syncer.app.check.finding import Finding, info
from syncer.app.wiring import Application


def check_transform(application: Application, name: str) -> Iterator[Finding]:
    """Load it. No row is read: what it does to one is seen when that is delivered."""
    loaded = application.transform(name)
    if loaded is not None:
        yield info(
            f"pipelines.{name}.transform",
            f"{loaded.reference}, version {loaded.declaration.version}"
            f"{', in batches' if loaded.declaration.batch else ''}, from {loaded.file or 'no file'}",
        )
