"""Writes the reference of all settings, `docs/configuration.md`, from the models: `python -m syncer.app.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ByteSize, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from syncer.app.alert_settings import seconds_or_off
from syncer.app.schedule_settings import cron_expression
from syncer.app.setting_type import seconds
from syncer.app.settings import Settings

_OPENING = """# Configuration

<!-- Generated from the models in syncer/app: python -m syncer.app.reference > docs/configuration.md -->

syncer reads one YAML file: `syncer.yaml`, or the one named by `-c FILE` or `SYNCER_CONFIG`. This is enough:

```yaml
source: {url: "${SYNCER_SOURCE_URL}"}
elasticsearch: {hosts: "http://localhost:9200"}
pipelines:
  articles:
    table: public.articles
```

Everything else has a default. A longer one:

```yaml
source: {url: "${SYNCER_SOURCE_URL}"}
state: {url: "${SYNCER_STATE_URL:-}", schema: syncer}
elasticsearch:
  hosts: ["https://search.example.com:9200"]
  api_key: "${ELASTICSEARCH_API_KEY}"
  ca_certs: /etc/ssl/search-ca.pem
embedding: {model: sentence-transformers/all-MiniLM-L6-v2}
pipelines:
  articles:
    table: public.articles
    soft_delete: deleted_at
    where: "status = 'published'"
    index: {shards: 2, replicas: 1}
    fields:
      title: {type: text, analyzer: english, keyword: true, autocomplete: true, boost: 3}
      body: {column: content, type: text, analyzer: english}
      tags: keyword
      published_at: date
      author: {relation: author}
    relations:
      author: {table: public.authors, on: {author_id: id}, columns: [name, country]}
    embedding: {text: "{title}\\n\\n{body}"}
    poll: {interval: 500ms}
```

- **Variables**: `${VAR}` and `${VAR:-default}` (where `VAR` is unset or empty) stand for environment variables in any
  text value, and `${file:PATH}` for what a file holds, less the end of its last line: `${file:/run/secrets/postgres}`,
  or a path from this file's folder. `$${` stands for the characters `${`. They are replaced after the file was parsed,
  so a password may hold any character; within a URL it is percent-encoded. A variable that is not set and has no
  default is an error, and so is a file that is missing or empty.
- **Durations**: `200ms`, `1s`, `15m`, `1h`, `1d`, or a number of seconds.
- **Unknown settings** are errors, and so is a setting that stands twice: a misspelt one never passes in silence.
- **Secrets** are never printed, logged, stored, or shown in an error: see [security](security.md#secrets).
- A text that is empty counts as left out, so `${VAR:-}` makes a setting optional.

`syncer check` compares all this with the real source, state and index.
"""

#: Sections in the order of the page: where they stand in the file.
_PLACES = (
    "source",
    "state",
    "elasticsearch",
    "embedding",
    "embedding.prompts",
    "embedding.cache",
    "pipelines.NAME",
    "pipelines.NAME.index",
    "pipelines.NAME.fields.FIELD",
    "pipelines.NAME.relations.RELATION",
    "pipelines.NAME.relations.RELATION.through[]",
    "pipelines.NAME.feeds.FEED",
    "pipelines.NAME.embedding",
    "pipelines.NAME.embedding.chunk",
    "pipelines.NAME.poll",
    "pipelines.NAME.limits",
    "pipelines.NAME.retention",
    "pipelines.NAME.lifecycle",
    "pipelines.NAME.lifecycle.hot",
    "pipelines.NAME.lifecycle.warm",
    "pipelines.NAME.lifecycle.cold",
    "pipelines.NAME.lifecycle.delete",
    "pipelines.NAME.schedule",
    "serve",
    "serve.tokens[]",
    "traces",
    "alerts",
    "alerts.webhook",
)

_TYPE_NAMES: Mapping[Any, str] = {
    str: "text",
    SecretStr: "text, secret",
    int: "number",
    float: "number",
    bool: "`true` or `false`",
    ByteSize: "size",
}


def reference() -> str:
    """Return the page."""
    return _OPENING + "".join(f"\n{part}" for place in _PLACES for part in _section(place, _model(place)))


def _section(place: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"## `{place}`\n"
    yield f"{_words(model.__doc__ or '')}\n"
    rows = [_row(field.alias or name, field) for name, field in model.model_fields.items() if not _nested(field)]
    if rows:
        yield "\n".join(["| setting | type | default | meaning |", "|---|---|---|---|", *rows]) + "\n"


def _row(name: str, field: FieldInfo) -> str:
    meaning = _words(field.description or "").replace("|", "\\|")
    return f"| `{name}` | {_type(field)} | {_default(field)} | {meaning} |"


def _type(field: FieldInfo) -> str:
    if any(getattr(part, "func", None) in {seconds, seconds_or_off} for part in field.metadata):
        return "duration"
    if any(getattr(part, "func", None) is cron_expression for part in field.metadata):
        return "cron expression"
    kind = _plain(field.annotation)
    if get_origin(kind) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return "text, or a list"
    if get_origin(kind) is Mapping:
        return "mapping"
    return _TYPE_NAMES.get(kind, "text")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined or value is None or value == ():
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, ByteSize):
        return f"`{value.human_readable(decimal=True, separator='')}`"
    if isinstance(value, float):
        duration = _type(field) == "duration"
        return f"`{_duration(value)}`" if duration else f"`{value:g}`"
    return f"`{value}`"


def _duration(length: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if length >= size and length % size == 0:
            return f"{length / size:g}{unit}"
    return f"{length:g}s"


def _model(place: str) -> type[BaseModel]:
    kind: Any = Settings
    for part in place.replace("[]", ".[]").split("."):
        if get_origin(kind) in (Mapping, tuple):
            kind = _plain(_of_many(kind))
        else:
            kind = _plain(kind.model_fields[part].annotation)
    model: type[BaseModel] = kind
    return model


def _nested(field: FieldInfo) -> bool:
    """Tell whether the setting is a section, which has a table of its own."""
    kind = _plain(field.annotation)
    inner = _of_many(kind) if get_origin(kind) in (Mapping, tuple) else kind
    return isinstance(inner, type) and issubclass(inner, BaseModel)


def _of_many(kind: Any) -> Any:
    """Return what a mapping or a list holds."""
    return get_args(kind)[0 if get_origin(kind) is tuple else -1]


def _plain(kind: Any) -> Any:
    """Return a type without `| None` and annotations; of several the first."""
    if get_origin(kind) in (Union, UnionType):
        return _plain(next(option for option in get_args(kind) if option is not type(None)))
    return _plain(kind.__origin__) if hasattr(kind, "__metadata__") else kind


def _words(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.stdout.write(reference())
