"""`syncer migrate`: create the state schema, or upgrade it."""

from __future__ import annotations

import structlog

from syncer.adapters.postgres.migrate import migrate as migrate_schema
from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation


def migrate(invocation: Invocation) -> ExitCode:
    """Bring the state schema to this version of syncer. Idempotent."""
    settings = invocation.settings()
    schema = settings.state.schema_
    before, after = migrate_schema(settings.state_url.get_secret_value(), schema, setting=settings.state_setting)
    log = structlog.get_logger(schema=schema, revision=after)
    if before == after:
        log.info("the state schema is up to date")
    else:
        log.info("the state schema is upgraded" if before else "the state schema is created", before=before)
    return ExitCode.DONE
