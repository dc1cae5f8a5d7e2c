"""The servers and the model: reachable, new enough, and with the privileges that are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from syncer.adapters.elastic.client import server
from syncer.adapters.elastic.privilege import lacking as lacking_in_elasticsearch
from syncer.adapters.elastic.privilege import to_write
from syncer.adapters.postgres.encryption import encryption
from syncer.adapters.postgres.grant import lacking, to_keep_state
from syncer.adapters.postgres.inspection import role, shares_backends
from syncer.adapters.postgres.migrate import revision
from syncer.adapters.postgres.remedy import grant_create, grant_stats
from syncer.adapters.postgres.session import Session
from syncer.app.blueprint import Blueprint
from syncer.app.check.encryption import database_on_the_way, model_server_on_the_way, search_on_the_way
from syncer.app.check.finding import Finding, Severity, info
from syncer.app.pipeline_vectors import prove_pieces
from syncer.app.wiring import Application

#: The oldest supported Postgres.
POSTGRES_MIN = 13


def check_source(application: Application) -> Iterator[Finding]:
    """Look at the source database."""
    setting = "source.url"
    session, second = (application.source_session(any_server=True) for _ in range(2))
    try:
        found = role(session)
        yield info(setting, f"PostgreSQL {found.major}, database {found.database}, as {found.name}")
        yield from _postgres(setting, session, second)
        if not found.reads_all_stats:
            yield Finding(
                Severity.WARNING,
                setting,
                f"{found.name} may not see when the transactions of others began",
                "polling can miss rows in two rare cases: a transaction that shares one message with a longer earlier "
                "one, and one after a slow COMMIT AND CHAIN; and a first load waits for open transactions",
                "grant pg_read_all_stats, which shows no table",
                grant_stats(found.name),
            )
        if not found.tracks_activities:
            yield Finding(
                Severity.WARNING,
                setting,
                "track_activities is off, for all or for some: nobody may see when their transactions began",
                "polling can miss rows in two rare cases: a transaction that shares one message with a longer earlier "
                "one, and one after a slow COMMIT AND CHAIN",
                "set track_activities = on: for the server, and for each role and database that has a value of its own",
            )
    finally:
        session.close()
        second.close()


def check_state(application: Application) -> Iterator[Finding]:
    """Look at the state database and its schema."""
    settings = application.settings
    setting, schema = settings.state_setting, settings.state.schema_
    session, second = application.state_session(), application.state_session()
    try:
        found = role(session)
        if settings.state.url:
            yield info(setting, f"PostgreSQL {found.major}, database {found.database}, as {found.name}")
            yield from _postgres(setting, session, second)
        if denied := lacking(session, to_keep_state(schema)):
            yield Finding(
                Severity.ERROR,
                "state.schema",
                f"{found.name} lacks {'; '.join(map(str, denied))}",
                "what needs it fails",
                "grant it; syncer grants prints all that is needed",
                "\n".join(grant.to(found.name) for grant in denied),
            )
            return
        current, needed = revision(settings.state_url.get_secret_value(), schema, setting=setting)
    finally:
        session.close()
        second.close()
    if current == needed:
        yield info("state.schema", f"schema {schema} is at revision {needed}")
        return
    may = current is not None or found.creates_schemas
    yield Finding(
        Severity.ERROR,
        "state.schema",
        f"schema {schema} is at revision {current}, not {needed}" if current else f"schema {schema} is missing",
        "nothing runs without it",
        "syncer migrate" if may else f"let {found.name} create it, then: syncer migrate",
        "" if may else grant_create(found.database, found.name),
    )


def check_elasticsearch(application: Application, names: Sequence[str]) -> Iterator[Finding]:
    """Look at Elasticsearch, and what it allows for these pipelines."""
    found = server(application.elasticsearch)
    yield info("elasticsearch", f"{found.product} {found.version}")
    aliases = [application.settings.alias(name) for name in names]
    # What ageing takes besides is tried with it.
    if denied := lacking_in_elasticsearch(application.elasticsearch, to_write(aliases, ages=False)):
        yield Finding(
            Severity.ERROR,
            "elasticsearch",
            f"this user or API key lacks {'; '.join(denied)}",
            "what needs it fails",
            "grant it; syncer grants prints the least role that is needed, and an API key",
        )
    yield from search_on_the_way(application.settings)


def check_model(application: Application) -> Iterator[Finding]:
    """Load the model: one may fail whose files look well."""
    model = application.settings.embedding.model
    application.embedder.load()
    yield info("embedding.model", f"{model}: vectors of {application.embedder.dims} dimensions")
    yield from model_server_on_the_way(application.settings)


def check_vectors(application: Application, plan: Blueprint) -> Iterator[Finding]:
    """Look whether the model reads the pieces that long texts are cut into."""
    prove_pieces(application.embedder, plan)
    yield from ()


def _postgres(setting: str, session: Session, second: Session) -> Iterator[Finding]:
    found = role(session)
    if found.major < POSTGRES_MIN:
        yield Finding(
            Severity.ERROR,
            setting,
            f"the server is PostgreSQL {found.major}",
            f"syncer is tested with {POSTGRES_MIN} and newer",
            "upgrade the server",
        )
    if found.standby:
        yield Finding(
            Severity.ERROR,
            setting,
            "it leads to a standby",
            "transactions open on the primary cannot be seen there, so rows would be lost",
            "name the primary; target_session_attrs=read-write chooses it",
        )
    if shares_backends(session, second):
        yield Finding(
            Severity.ERROR,
            setting,
            "it leads through a proxy that pools by transaction",
            "session settings and locks end up with others, so that nothing that syncer promises holds",
            "connect directly, or through a pool in session mode",
        )
    yield from database_on_the_way(setting, encryption(session))
