"""Which error a port raises when it fails."""

from __future__ import annotations

from syncer.core.error import (
    EmbedderUnavailable,
    SinkUnavailable,
    SourceUnavailable,
    StateUnavailable,
    TransientError,
)

_ERRORS: dict[str, type[TransientError]] = {
    "source": SourceUnavailable,
    "feed": SourceUnavailable,
    "glance": SourceUnavailable,
    "tombstones": SourceUnavailable,
    "keys": SourceUnavailable,
    "documents": SourceUnavailable,
    "embedder": EmbedderUnavailable,
    "cache": StateUnavailable,
    "store": StateUnavailable,
    "lease": StateUnavailable,
    "progress": StateUnavailable,
    "sink": SinkUnavailable,
    "indices": SinkUnavailable,
    "lifecycle": SinkUnavailable,
    "digests": SourceUnavailable,
    "hits": SinkUnavailable,
}
#: Ports promise of these that they never raise.
NEVER_RAISE = ("lease.release", "progress.release")


def trouble(name: str) -> TransientError:
    """Return what the port of a call (`sink.write`) raises while its server is away."""
    port = name.partition(".")[0]
    return _ERRORS[port](f"{name} was made to fail")
