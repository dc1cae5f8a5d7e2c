"""`syncer grants`: what roles need, for somebody who may grant it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from rich.text import Text

from syncer.adapters.postgres.inspection import role as session_role
from syncer.adapters.postgres.inspection import secured
from syncer.adapters.postgres.query_catalog import relations_of
from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.tables import qualified
from syncer.adapters.postgres.trigger_facts import trigger_facts
from syncer.app.exit_code import ExitCode
from syncer.app.grants import Needed, RoleGrants, role_grants
from syncer.app.invocation import Invocation
from syncer.app.noted import noted_by
from syncer.app.pipeline_table import pipeline_feeds, pipeline_fields, pipeline_table
from syncer.app.printable import printable
from syncer.app.purpose import Purpose
from syncer.app.settings import Settings
from syncer.app.wiring import Application
from syncer.core.error import ConfigurationError
from syncer.core.way import ways

_FOR = {
    Purpose.MIGRATE: "syncer migrate, which makes the tables of the state: they belong to {role}",
    Purpose.RUN: "the daemon, and every command but migrate and install-triggers, as {role}",
    Purpose.SERVE: "what changes nothing, as {role}: serve, search, status, indices, cluster",
    Purpose.TRIGGERS: "install-triggers and remove-triggers, as {role}, the tables' owner",
}


def grants(
    invocation: Invocation, requested: Sequence[str], *, purposes: Sequence[Purpose], role: str | None
) -> ExitCode:
    """Print what each role needs. Reads the catalogue, as whoever `source.url` names, and grants nothing."""
    if role is not None and (len(purposes) != 1 or purposes[0] is Purpose.TRIGGERS):
        raise ConfigurationError(
            "--role names one role, and triggers are made by the tables' owner",
            hint="say what it is for too: --for migrate, run or serve",
        )
    with invocation.application() as (application, _):
        needed = _needed(application, application.names(requested))
    wanted = [purpose for purpose in Purpose if purpose in (purposes or Purpose)]
    found = [each for purpose in wanted for each in role_grants(purpose, needed, role)]
    document = {
        "databases": {"source": needed.source, "state": needed.state},
        "grants": [each.document() for each in found],
    }
    text = "\n\n".join("\n".join(_lines(each, needed)) for each in found)
    invocation.show(document, lambda: Text(text, no_wrap=True, overflow="ignore"))
    return ExitCode.DONE


def _needed(application: Application, names: Sequence[str]) -> Needed:
    settings = application.settings
    schema, shared = settings.state.schema_, settings.state.url is None
    tables: set[tuple[str, str]] = set()
    owners: set[str] = set()
    noted = False
    session = application.source_session()
    try:
        database = session_role(session).database
        for name in names:
            tables |= set(_tables(session, name, settings))
            for each in noted_by(session, name, settings, lenient=True):
                around = trigger_facts(session, each.table, schema, each.columns, holds_state=shared).around
                owners.add(around.owner)
                noted = noted or around.begun
        policies = secured(session, sorted(tables))
    finally:
        session.close()
    return Needed(
        source=database,
        state=database if shared else _database(application.state_session()),
        shared=shared,
        schema=schema,
        tables=sorted(tables),
        secured=policies,
        noted=noted,
        owners=sorted(owners),
        aliases=[settings.alias(name) for name in names],
        ages=any(settings.pipelines[name].lifecycle for name in names),
    )


def _database(session: Session) -> str:
    try:
        return session_role(session).database
    finally:
        session.close()


def _tables(session: Session, name: str, settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield what a pipeline reads, as schema and name. Conditions take the right to read, and read nothing else."""
    pipeline = settings.pipelines[name].without_conditions()
    table = pipeline_table(session, name, pipeline)
    fields = pipeline_fields(session, name, pipeline, table)
    feeds = pipeline_feeds(session, name, pipeline, table, fields)
    if table.query is not None:
        yield from relations_of(session, table)
    else:
        yield table.schema, table.name
    yield from ((each.schema, each.name) for feed in feeds for each in feed.tables)
    yield from ((join.table.schema, join.table.name) for way in ways(fields) for join in way)


def _lines(each: RoleGrants, needed: Needed) -> Iterator[str]:
    """Yield SQL as people read it; what is not SQL is a comment of it."""
    # Printable: a line break would end a comment.
    role, source, state = (printable(qualified(name)) for name in (each.role, needed.source, needed.state))
    yield f"-- For {_FOR[each.purpose].format(role=role)}."
    if each.purpose is not Purpose.TRIGGERS:
        yield f"-- Where there is no such role yet: CREATE ROLE {role} LOGIN; then in psql: \\password {role}"
    if each.purpose is Purpose.RUN:
        yield "-- After syncer migrate, and again where an upgrade or install-triggers has made tables."
    if each.source:
        yield f"-- In database {source} (source.url):"
        yield from each.source
    if each.state:
        yield f"-- In database {state} (state.url):"
        yield from each.state
    if each.elasticsearch is not None:
        bodies = each.of_elasticsearch()
        yield "-- In Elasticsearch, a role for a user, or an API key:"
        yield from _commented("PUT", f"/_security/role/{quote(each.role, safe='')}", bodies["role"])
        yield from _commented("POST", "/_security/api_key", bodies["api_key"])


def _commented(method: str, path: str, body: Mapping[str, Any]) -> Iterator[str]:
    """Yield a request as a comment of SQL, without what would end it or begin one within."""
    text = json.dumps(body, indent=2).replace("*/", "*\\u002f").replace("/*", "\\u002f*")
    yield f"/*\n{method} {path}\n{text}\n*/"
