"""`syncer install-triggers` and `remove-triggers`: deletes are noted in the source, or no longer."""

from __future__ import annotations

from rich.text import Text

from syncer.adapters.postgres.advisory_lock import AdvisoryLock
from syncer.adapters.postgres.installation import installation, removal
from syncer.adapters.postgres.remedy import grant_create, grant_create_in, grant_noting
from syncer.adapters.postgres.script import Script
from syncer.adapters.postgres.trigger_facts import trigger_facts
from syncer.adapters.postgres.triggers import Surroundings
from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.noted import noted_by


def install_triggers(invocation: Invocation, name: str, *, print_only: bool) -> ExitCode:
    """Note from now on what is deleted from a pipeline's tables. Idempotent."""
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
        scripts: dict[str, Script] = {}
        woken: set[str] = set()
        try:
            for noted in noted_by(session, name, settings, lenient=not install):
                table = noted.table
                around = trigger_facts(session, table, schema, holds_state=settings.state.url is None).around
                script = (installation if install else removal)(noted, schema, around)
                scripts[str(table)] = script
                if noted.wakes:
                    woken.add(str(table))
                if not print_only:
                    command = f"syncer {'install' if install else 'remove'}-triggers {name} --print"
                    # The lock of `syncer migrate`: else it would be in doubt who creates the schema. A transaction for
                    # each table: one for all would wait with locks on some for those who use the others.
                    script.run(session, AdvisoryLock.on(schema, "migrate"), denied=_remedy(around, schema, command))
        finally:
            session.close()
    what = "what is deleted is noted" if install else "nothing is noted any more"
    wakes = ", and each commit wakes the daemon" if install else ", and no commit wakes the daemon"
    done = "\n".join(f"{table}: {what} in {schema}.tombstones{wakes if table in woken else ''}" for table in scripts)
    if install:
        done += "\nWhat happened before they noted it, the daemon finds: it compares each index with its tables once"
    sql = "\n\n".join(map(str, scripts.values()))
    invocation.show(
        {"pipeline": name, "tables": list(scripts), "ran": not print_only, "sql": sql},
        lambda: Text(sql if print_only else done, no_wrap=True, overflow="ignore"),
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
