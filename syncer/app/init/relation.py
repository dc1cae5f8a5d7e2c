"""Foreign keys of a table and to it, as relations that a document could have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from syncer.adapters.postgres.survey import Found, Reference, Survey
from syncer.app.init.document_fields import Line, is_secret
from syncer.app.init.table_name import table_setting
from syncer.core.column_type import infer

#: More are left to people, who know which ones matter.
_RELATIONS_MAX = 12
_COLUMNS_MAX = 8
_MANY_MAX = 100


def relations_of(survey: Survey, table: Found, *, taken: set[str]) -> Sequence[Line]:
    """Return the relations by foreign keys, all of them behind a `#`; taken: names that are no longer free."""
    tables = {each.place: each for each in survey.tables}
    found: list[Line] = []
    names = set(taken)
    for reference, to_many in _around(survey, table):
        other = tables[reference.of if to_many else reference.to]
        name = next((each for each in _names(reference, other, to_many=to_many) if each not in names), None)
        columns = [
            column.name for column in other.columns.values() if infer(column) is not None and not is_secret(column.name)
        ]
        if name is None or not columns or len(found) == _RELATIONS_MAX:
            continue
        names.add(name)
        ours, theirs = (reference.others, reference.columns) if to_many else (reference.columns, reference.others)
        setting: dict[str, object] = {"table": table_setting(other), "on": dict(zip(ours, theirs, strict=True))}
        setting["columns"] = columns[:_COLUMNS_MAX]
        if to_many:
            setting |= {"many": True, "limit": _MANY_MAX}
        found.append(Line(name, setting, _comment(other), kept=False))
    return found


def _around(survey: Survey, table: Found) -> Iterator[tuple[Reference, bool]]:
    """Yield the foreign keys of a table, then those to it; with whether they lead to many rows."""
    yield from ((each, False) for each in survey.references if each.of == table.place)
    yield from ((each, True) for each in survey.references if each.to == table.place)


def _names(reference: Reference, other: Found, *, to_many: bool) -> Iterator[str]:
    """Yield what a relation may be called, the best first."""
    (column, *rest) = reference.columns
    # `author_id`, `authorId`, `fk_author`
    stem = re.sub(r"(?:_id|_fk|_key|(?<=[a-z])Id)$|^fk_", "", column) if not rest else ""
    for name in (other.name, f"{other.name}_by_{column}") if to_many else (stem, other.name, f"{stem}_{other.name}"):
        if name.strip() and "." not in name and not name.startswith("_"):
            yield name


def _comment(other: Found) -> str:
    return "" if other.readable else "this role may not read it"
