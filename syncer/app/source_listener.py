"""What wakes the polls of a process, and logs when it cannot."""

from __future__ import annotations

import structlog

from syncer.adapters.postgres.listener import Listener
from syncer.adapters.postgres.session import LASTING_SETTINGS, SOURCE_SETTINGS, Session
from syncer.adapters.postgres.source import refuse_standby
from syncer.app.log_events import one_line
from syncer.app.settings import Settings
from syncer.core.error import SourceUnavailable, SyncerError
from syncer.ports import Clock


def source_listener(settings: Settings, clock: Clock) -> Listener:
    """Return the listener on the source, which connects when the first pipeline asks to be woken."""
    log = structlog.get_logger()

    def lost(error: SyncerError) -> None:
        log.warning("no wakeups: polls go on at their interval", error=one_line(error.message))

    session = Session(
        settings.source.url.get_secret_value(),
        setting="source.url",
        settings={**SOURCE_SETTINGS, **LASTING_SETTINGS},
        unavailable=SourceUnavailable,
        application_name="syncer wakeups",
        on_connect=refuse_standby,
    )
    return Listener(session, clock, lost=lost, back=lambda: log.info("wakeups again"))
