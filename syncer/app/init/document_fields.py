"""The fields of a proposed document: how each column is searched, and which ones stay out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncer.adapters.postgres.survey import Found, Texts
from syncer.core.column_type import infer
from syncer.core.field import OWN_FIELD
from syncer.core.table import Column

#: Characters: longer texts are read, not sorted by.
_LONG = 80
#: Texts of so few kinds, in so many rows, are kinds of something.
_KINDS_MAX, _ROWS_MIN = 20, 100

_SECRET = re.compile(
    r"(?:^|_)(?:password|passwd|pwd|secret|token|api_?key|private_?key|salt|ssn|iban|card_?number|cvv|otp)(?:_|s?$)",
    re.IGNORECASE,
)
#: What a secret is written as: a number of tokens is none.
_READABLE = frozenset({"text", "keyword", "binary", "object", "flattened"})
_TITLE = re.compile(r"(?:^|_)(?:title|name|subject|headline|heading|label)$", re.IGNORECASE)
_BODY = re.compile(
    r"(?:^|_)(?:body|content|contents|description|text|abstract|summary|comment|message|note|notes|bio|details|remarks)$",
    re.IGNORECASE,
)
#: What a template's braces can hold.
_PLAIN = re.compile(r"[^\W\d][\w-]*")

#: A YAML value: a type, or settings.
Setting = str | Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Line:
    """A setting of the file."""

    name: str
    setting: Setting
    comment: str = ""
    #: False: it is written behind a `#`.
    kept: bool = True


def fields_of(table: Found, texts: Mapping[str, Texts], *, left_out: str | None) -> Sequence[Line]:
    """Return a field for each column. left_out: the one that says which rows have no document."""
    return [
        _field(column, texts.get(name))
        for name, column in table.columns.items()
        if name != left_out and _may_be_called(name)
    ]


def is_secret(name: str) -> bool:
    """Tell whether a column's name says that nobody should find its values."""
    return _SECRET.search(name) is not None


def embedded_text(fields: Sequence[Line], texts: Mapping[str, Texts]) -> str:
    """Return the template of what is worth an embedding: a title, and what is long; empty: nothing is."""
    found = [line.name for line in fields if line.kept and _is_text(line.setting) and _PLAIN.fullmatch(line.name)]
    titles = [name for name in found if _TITLE.search(name)][:1]
    long = [name for name in found if _length(name, texts) > _LONG or (name not in texts and _BODY.search(name))]
    named = [name for name in found if _BODY.search(name)]
    # The longest two: what a model reads at once is short.
    bodies = sorted(long or named, key=lambda name: -_length(name, texts))[:2]
    chosen = [*titles, *(name for name in bodies if name not in titles)]
    return "\n\n".join(f"{{{name}}}" for name in chosen)


def _field(column: Column, seen: Texts | None) -> Line:
    name, kind = column.name, infer(column)
    if kind is None:
        return Line(name, "keyword", f"left out: {column.sql_type} has no type of field", kept=False)
    if is_secret(name) and kind.name in _READABLE:
        return Line(name, "keyword", "left out: it looks like a secret", kept=False)
    if kind.name != "text":
        return Line(name, kind.name)
    if column.array:
        return Line(name, "keyword", "exact matches and facets; `text` for words")
    if seen and seen.mean > _LONG:
        return Line(name, "text", f"about {seen.mean:,.0f} characters")
    if seen and seen.values >= _ROWS_MIN and seen.different <= _KINDS_MAX:
        return Line(name, "keyword", f"{seen.different} different values were seen: exact matches and facets")
    if seen is None and _BODY.search(name):
        return Line(name, "text")
    return Line(name, {"type": "text", "keyword": True})


def _is_text(setting: Setting) -> bool:
    return (setting if isinstance(setting, str) else setting.get("type")) == "text"


def _length(name: str, texts: Mapping[str, Texts]) -> float:
    return texts[name].mean if name in texts else 0.0


def _may_be_called(name: str) -> bool:
    # As `resolve_fields` sees it; a dot would make an object of it, and an underscore belongs to Elasticsearch.
    return bool(name.strip()) and "." not in name and not name.startswith("_") and name != OWN_FIELD
