"""`syncer install-triggers` and `remove-triggers`: deletes are noted in the source, or no longer."""

from __future__ import annotations

from rich.text import Text

from syncer.adapters.postgres.advisory_lock import AdvisoryLock
from syncer.adapters.postgres.remedy import grant_create, grant_create_in, grant_noting
from syncer.adapters.postgres.trigger_facts import trigger_facts
from syncer.adapters.postgres.triggers import Surroundings, TombstoneTriggers
from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.wiring import pipeline_table


def install_triggers(invocation: Invocation, name: str, *, print_only: bool) -> ExitCode:
    """Note from now on what is deleted from a pipeline's table. Idempotent."""
    return _change(invocation, name, install=True, print_only=print_only)


def remove_triggers(invocation: Invocation, name: str, *, print_only: bool) -> ExitCode:
    """Take the triggers away again, and what they have noted. Idempotent."""
    return _change(invocation, name, install=False, print_only=print_only)


def _change(invocation: Invocation, name: str, *, install: bool, print_only: bool) -> ExitCode:
    with invocation.application() as (application, _):
        [name] = application.names([name])
        settings = application.settings
        schema = settings.state.schema_
        session = application.source_session()
        try:
            table = pipeline_table(session, name, settings.pipelines[name])
            triggers = TombstoneTriggers(table, schema)
            around = trigger_facts(session, table, schema, holds_state=settings.state.url is None).around
            script = triggers.install(around) if install else triggers.remove()
            if not print_only:
                command = f"syncer {'install' if install else 'remove'}-triggers {name} --print"
                # The lock of `syncer migrate`: else it would be in doubt who creates the schema.
                script.run(session, AdvisoryLock.on(schema, "migrate"), denied=_remedy(around, schema, command))
        finally:
            session.close()
    done = f"{table}: {'what is deleted is noted' if install else 'nothing is noted any more'} in {schema}.tombstones"
    invocation.show(
        {"pipeline": name, "table": str(table), "ran": not print_only, "sql": str(script)},
        lambda: Text(str(script) if print_only else done, no_wrap=True, overflow="ignore"),
    )
    return ExitCode.DONE


def _remedy(around: Surroundings, schema: str, command: str) -> str:
    owner = around.owner
    if around.begun:
        grant = grant_noting(schema, owner)
    elif around.has_schema:
        grant = grant_create_in(schema, owner)
    else:
        grant = grant_create(around.database, owner)
    return (
        f"let {owner}, who owns the table, or a superuser run what this prints: {command}\n"
        f"  an owner needs besides: {' '.join(grant.split())}"
    )
