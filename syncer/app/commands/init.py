"""`syncer init`: look at a database, and write a first configuration."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

from pydantic import SecretStr

from syncer.adapters.elastic.client import ElasticConnection, connect, server
from syncer.adapters.elastic.nodes import data_nodes
from syncer.adapters.postgres.session import SOURCE_SETTINGS, Session
from syncer.adapters.postgres.survey import survey, texts
from syncer.app.exit_code import ExitCode
from syncer.app.init.choice import chosen
from syncer.app.init.file_text import Search, file_text
from syncer.app.init.proposal import Proposal
from syncer.app.init.question import Ask, Question, answered, by_default, on_terminal
from syncer.app.invocation import Invocation
from syncer.app.printable import printable_lines
from syncer.app.redaction import redactor
from syncer.app.secret import forms, hidden_parts
from syncer.app.setting_type import database_url, host
from syncer.core.error import ConfigurationError, SourceUnavailable, SyncerError

SOURCE_VARIABLE = "SYNCER_SOURCE_URL"
SEARCH_VARIABLE = "ELASTICSEARCH_URL"
#: Of whom the search lets in: settings by variable, of which the first that is set decides.
_LOGINS: Mapping[str, Mapping[str, str]] = {
    "ELASTICSEARCH_API_KEY": {"api_key": "${ELASTICSEARCH_API_KEY}"},
    "ELASTICSEARCH_PASSWORD": {
        "username": "${ELASTICSEARCH_USERNAME:-elastic}",
        "password": "${ELASTICSEARCH_PASSWORD}",
    },
}
_SEARCH_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line says."""

    source_url: str | None
    elasticsearch_url: str | None
    tables: Sequence[str]
    embed: bool
    #: `-`: standard output.
    output: Path
    force: bool


def init(invocation: Invocation, wishes: Wishes, *, yes: bool, ask: Ask = on_terminal) -> ExitCode:
    """Write the file, and say what to do next. yes: nothing is asked. Changes nothing in either server."""
    ask = by_default if yes else ask
    _prove_place(wishes)
    url = wishes.source_url or invocation.env.get(SOURCE_VARIABLE) or ask(Question("URL of the database", secret=True))
    if not url:
        raise ConfigurationError(
            "no database is named",
            hint=f"{SOURCE_VARIABLE}, or --source-url postgresql://user:password@host/database",
        )
    _hide(invocation, url)
    if wishes.source_url and hidden_parts(wishes.source_url):
        _tell(
            f"whoever lists the processes of this machine sees the password in --source-url; {SOURCE_VARIABLE} hides it"
        )
    session = Session(url, setting="the source URL", settings=SOURCE_SETTINGS, unavailable=SourceUnavailable)
    try:
        found = survey(session, wishes.tables)
        proposals = chosen(
            found,
            lambda table, columns: texts(session, table, columns),
            ask,
            _tell,
            tables=wishes.tables,
            embed=wishes.embed,
        )
    finally:
        session.close()
    search, trouble = _search(invocation.env, wishes.elasticsearch_url, ask)
    text = file_text(found.database, search, proposals)
    if str(wishes.output) == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        _write(wishes.output, text)
    for line in trouble:
        _tell(invocation.redact(line))
    for line in _next(invocation, wishes, proposals):
        _tell(line)
    return ExitCode.DONE


def _prove_place(wishes: Wishes) -> None:
    """Before anything is asked."""
    if str(wishes.output) != "-" and wishes.output.exists() and not wishes.force:
        raise ConfigurationError(
            f"{wishes.output} is there already", hint="--force overwrites it; --output names another"
        )


def _hide(invocation: Invocation, url: str) -> None:
    try:
        database_url(SecretStr(url))
    except ValueError as error:
        raise ConfigurationError(f"the source URL {error}") from None
    secrets = [*hidden_parts(url), *(value for name in _LOGINS if (value := invocation.env.get(name)))]
    invocation.redact = redactor(form for secret in secrets for form in forms(secret))


def _search(env: Mapping[str, str], given: str | None, ask: Ask) -> tuple[Search, Sequence[str]]:
    """Return Elasticsearch as the file names it, and what is to be told of it."""
    from_env = env.get(SEARCH_VARIABLE)
    which = Question("URL of Elasticsearch", "http://localhost:9200")
    named = given or from_env
    url = _search_url(named) if named else answered(ask, which, _search_url, _tell)
    variable = next((name for name in _LOGINS if env.get(name)), "")
    login = _LOGINS.get(variable, {})
    connection = ElasticConnection(
        hosts=[url],
        api_key=env[variable] if "api_key" in login else None,
        username=env.get("ELASTICSEARCH_USERNAME") or "elastic" if "username" in login else None,
        password=env[variable] if "password" in login else None,
        request_timeout_seconds=_SEARCH_TIMEOUT_SECONDS,
    )
    trouble: list[str] = []
    nodes = None
    try:
        client = connect(connection)
        try:
            server(client)
            nodes = data_nodes(client)
        finally:
            client.close()
    except SyncerError as error:
        trouble = [f"Elasticsearch was not asked: {error.message}", f"  → {error.hint or 'see syncer check'}"]
    hosts = "${" + SEARCH_VARIABLE + "}" if url == from_env else url
    return Search(hosts, login, nodes, encrypted=urlsplit(url).scheme == "https"), trouble


def _search_url(url: str) -> str:
    try:
        host(url)
    except ValueError as error:
        raise ConfigurationError(f"the URL of Elasticsearch {error}") from None
    return url


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}", hint="--output names another"
        ) from error


def _next(invocation: Invocation, wishes: Wishes, proposals: Sequence[Proposal]) -> Sequence[str]:
    """Return what was done, what mends the tables, and the commands that follow."""
    lines = [
        f"{each.name} follows {each.table} by {each.watermark.column}"
        + (f", whose writers are taken to keep {each.zone}" if each.zone else "")
        for each in proposals
    ]
    for remedy in (remedy for each in proposals for remedy in each.remedies):
        lines += ["", remedy.what, remedy.sql]
    option = "" if str(wishes.output) in {"-", "syncer.yaml"} else f" -c {quote(str(wishes.output))}"
    lines += ["", "Next:"]
    if wishes.source_url or not invocation.env.get(SOURCE_VARIABLE):
        lines.append(f"  export {SOURCE_VARIABLE}=…  # the URL that you gave")
    commands = ["migrate", *(f"install-triggers {each.name}" for each in proposals), "check", "run"]
    return [*lines, *(f"  syncer {command}{option}" for command in commands)]


def _tell(line: str) -> None:
    sys.stderr.write(f"{printable_lines(line)}\n")
