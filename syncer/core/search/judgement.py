"""Queries, and what people have judged of documents, as the files of test collections hold them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from syncer.core.error import ConfigurationError
from syncer.core.search.evaluation import Grades

#: The first line of BEIR's files.
_HEADER = ["query-id", "corpus-id", "score"]
#: Beyond it a gain is no number any more.
_GRADE_MAX = 100
_SHOWN_CHARACTERS = 80


def read_queries(lines: Iterable[str], name: str) -> Mapping[str, str]:
    """Return texts by id, of JSON lines with `id` and `text`; `_id`, as BEIR has it, is read too.

    name: of the file, for messages. Raises ConfigurationError with the number of the line.
    """
    found: dict[str, str] = {}
    for place, line in _lines(lines, name):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise _wrong(place, f"not JSON: {error}", line) from error
        row = row if isinstance(row, dict) else {}
        id_, text = row.get("id", row.get("_id")), row.get("text")
        if isinstance(id_, bool) or not isinstance(id_, str | int) or not isinstance(text, str) or not text.strip():
            raise _wrong(place, 'a query is {"id": "1", "text": "what is looked for"}', line)
        if str(id_) in found:
            raise _wrong(place, f"there is a query {str(id_)!r} already", line)
        found[str(id_)] = text
    return found


def read_judgements(lines: Iterable[str], name: str) -> Mapping[str, Grades]:
    """Return grades by query and document: of lines with query, document, grade between tabs, or TREC's four columns:
    query, something that nobody reads, document, grade.

    name: of the file, for messages. Raises ConfigurationError with the number of the line.
    """
    found: dict[str, dict[str, int]] = {}
    first = True
    for place, line in _lines(lines, name):
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) not in {3, 4}:
            cells = line.split()
        if first and cells == _HEADER:
            first = False
            continue
        first = False
        if len(cells) not in {3, 4} or not all(cells):
            raise _wrong(place, "a judgement is query, document and grade between tabs, or TREC's four columns", line)
        query, document = cells[0], cells[-2]
        try:
            grade = int(cells[-1])
        except ValueError:
            raise _wrong(place, f"the grade {cells[-1]!r} is not a whole number", line) from None
        if grade > _GRADE_MAX:
            raise _wrong(place, f"the grade {grade} is above {_GRADE_MAX}", line)
        if found.setdefault(query, {}).setdefault(document, grade) != grade:
            raise _wrong(place, f"query {query!r} has another grade for {document!r} already", line)
    return found


def _lines(lines: Iterable[str], name: str) -> Iterator[tuple[str, str]]:
    """Yield each line that is not blank, with its place."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield f"{name}:{number}", line.rstrip("\r\n")


def _wrong(place: str, what: str, line: str) -> ConfigurationError:
    shown = line if len(line) <= _SHOWN_CHARACTERS else line[:_SHOWN_CHARACTERS] + "…"
    return ConfigurationError(f"{place}: {what}", hint=f"it reads {shown!r}")
