"""The text of the configuration that `init` writes: what is proposed, each setting with why.

`#` with a blank after it begins a comment; a setting that is only proposed stands right behind its `#`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from syncer.app.init.document_fields import Line
from syncer.app.init.proposal import Proposal
from syncer.app.init.table_name import table_setting
from syncer.app.printable import printable

MODEL = "${SYNCER_MODEL:-sentence-transformers/all-MiniLM-L6-v2}"


@dataclass(frozen=True, slots=True)
class Search:
    """Elasticsearch, as the file names it."""

    #: A URL, or a variable that holds one.
    hosts: str
    #: Settings that hold variables, for who is let in.
    login: Mapping[str, str]
    #: Data nodes; None: it could not be asked.
    nodes: int | None
    #: Reached by https.
    encrypted: bool = False


def file_text(database: str, search: Search, proposals: Sequence[Proposal]) -> str:
    """Return the file."""
    return "\n".join([*_servers(database, search, proposals), "pipelines:", *_pipelines(proposals, search)]) + "\n"


def _servers(database: str, search: Search, proposals: Sequence[Proposal]) -> Iterator[str]:
    embed = any(each.embed for each in proposals)
    yield f"# By `syncer init`, from the database {printable(database)}. All settings: docs/configuration.md."
    yield "# What stands right behind a `#` is a proposal: take the `#` away, and run `syncer check`."
    yield ""
    yield 'source: {url: "${SYNCER_SOURCE_URL}"} # from the environment, so that no password stands here'
    yield "# Left out, checkpoints and dead letters are kept in the source database, in a schema `syncer`."
    yield '#state: {url: "${SYNCER_STATE_URL}"}'
    yield "elasticsearch:"
    yield f"  hosts: {_yaml(search.hosts, escaped=False)}"
    for name, value in search.login.items():
        yield f"  {name}: {_yaml(value, escaped=False)}"
    if not search.login:
        yield '  #api_key: "${ELASTICSEARCH_API_KEY}" # where it asks for one; or username and password'
    if search.encrypted:
        yield "  #ca_certs: /etc/ssl/elasticsearch.crt # of an authority of your own, if its certificate is by one"
    yield "# The model that embeds texts: a name on the Hugging Face hub, or a folder."
    yield f"{'' if embed else '#'}embedding: {{model: {_yaml(MODEL, escaped=False)}}}"
    yield ""


def _pipelines(proposals: Sequence[Proposal], search: Search) -> Iterator[str]:
    for each in proposals:
        yield f"  {_yaml(each.name)}: # what searches name"
        for line in _pipeline(each, search):
            yield f"    {line}"


def _pipeline(of: Proposal, search: Search) -> Iterator[str]:
    table = of.table
    size = f"about {table.rows:,} rows" if table.rows else "no rows were counted yet"
    yield f"table: {_yaml(table_setting(table))} # {size}"
    if of.key:
        yield f"key: {_yaml(list(of.key))} # it has no primary key, and these are unique"
    yield f"watermark: {_yaml(of.watermark.column)} # how changes are found: {', '.join(of.watermark.reasons)}"
    if of.zone:
        yield f"watermark_zone: {_yaml(of.zone)} # the zone that its writers keep: is it this one?"
    if of.margin:
        yield f"poll: {{margin: {of.margin}}} # that zone sets its clocks back once a year, by an hour"
    if of.soft_delete:
        yield f"soft_delete: {_yaml(of.soft_delete)} # rows that it marks have no document"
    if search.nodes == 1:
        yield "index: {replicas: 0} # there is one data node: a copy would find no place"
    yield from _embedding(of)
    if not any(line.kept for line in of.fields):
        return
    yield "fields: # columns that are not named stay out"
    for line in of.fields:
        yield f"  {_line(line)}"
    for relation in of.relations:
        yield f"  {_line(Line(relation.name, {'relation': relation.name}, kept=False))}"
    if of.relations:
        yield "# Rows of other tables, by foreign keys. With one, its field above; `syncer check` says what it lacks."
        yield "#relations:"
        for relation in of.relations:
            yield f"#  {_line(relation).removeprefix('#')}"


def _embedding(of: Proposal) -> Iterator[str]:
    if not of.text:
        return
    names = {line.name for line in of.fields if line.kept}
    setting = {"text": of.text, **({"field": "vector"} if "embedding" in names else {})}
    comment = "searched by meaning, too" if of.embed else "to search by meaning, too: a vector of each row's text"
    yield _line(Line("embedding", setting, comment, kept=of.embed))


def _line(line: Line) -> str:
    comment = f" # {printable(line.comment)}" if line.comment else ""
    return f"{'' if line.kept else '#'}{_yaml(line.name, escaped=False)}: {_yaml(line.setting)}{comment}"


def _yaml(value: object, *, escaped: bool = True) -> str:
    """Return a value on one line; escaped: it holds no variable, whatever it looks like."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_yaml(name, escaped=False)}: {_yaml(each)}" for name, each in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if not isinstance(value, str):
        return json.dumps(value)
    text = value.replace("${", "$${") if escaped else value
    # As it is where YAML reads it as the same text, in a list, too.
    if text.replace("_", "a").replace("-", "a").replace(".", "a").isalnum() and _reads_as(text, text):
        return text
    quoted = json.dumps(text)
    return quoted if _reads_as(quoted, text) else yaml.safe_dump(text, default_style='"', width=2**31).strip()


def _reads_as(written: str, text: str) -> bool:
    try:
        return bool(yaml.safe_load(f"[{written}, {{{written}: 1}}]") == [text, {text: 1}])
    except yaml.YAMLError:
        return False
