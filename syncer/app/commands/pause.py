"""`syncer pause` and `syncer resume`: let a pipeline rest, whichever process follows it."""

from __future__ import annotations

from collections.abc import Sequence

from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation


def pause(invocation: Invocation, requested: Sequence[str]) -> ExitCode:
    """Have the pipelines followed by nobody; a daemon stops within a few seconds, and stands by."""
    with invocation.application() as (application, clock):
        since = {name: application.store.pause(name, clock.now()) for name in application.names(requested)}
    invocation.show(
        {"pipelines": [{"name": name, "paused_since": time.isoformat()} for name, time in since.items()]},
        lambda: "\n".join(f"{name}: paused since {time:%Y-%m-%d %H:%M:%S} UTC" for name, time in since.items()),
    )
    return ExitCode.DONE


def resume(invocation: Invocation, requested: Sequence[str]) -> ExitCode:
    """Have the pipelines followed again, from their checkpoints."""
    with invocation.application() as (application, _):
        paused = {name: application.store.resume(name) for name in application.names(requested)}
    invocation.show(
        {"pipelines": [{"name": name, "was_paused": was} for name, was in paused.items()]},
        lambda: "\n".join(f"{name}: {'goes on' if was else 'was not paused'}" for name, was in paused.items()),
    )
    return ExitCode.DONE
