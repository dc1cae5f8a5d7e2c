"""Dead letters by what is wrong with them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from syncer.core.letter_group import EXAMPLES_MAX, LetterGroup, cause, grouped
from syncer.core.settlement import DeadLetter

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
TOO_LARGE = DeadLetter(("1",), 7, "document_too_large", "101 bytes, and the server takes 100 at most", NOON)


@pytest.mark.parametrize(
    ("reason", "shared"),
    [
        (
            "[1:6] failed to parse field [n] of type [integer] in document with id '2'. Preview of field's value: "
            "'99999999999': [1:17] Numeric value (99999999999) out of range of int (-2147483648 - 2147483647)",
            "failed to parse field [n] of type [integer]",
        ),
        (
            "[1:6] failed to parse field [n] of type [integer] in document with id 'it's 1'. Preview of field's "
            """value: 'it's 'so' cheap': For input string: "it's 'so' cheap\"""",
            "failed to parse field [n] of type [integer]",
        ),
        (
            "[1:1] failed to parse: The [cosine] similarity does not support vectors with zero magnitude. "
            "Preview of invalid vector: [0.0, 0.0, 0.0]",
            "failed to parse: The [cosine] similarity does not support vectors with zero magnitude",
        ),
        (
            "[1:1] failed to parse: The [dense_vector] field [v] in doc [document with id '18'] has a different "
            "number of dimensions [2] than defined in the mapping [3]",
            "failed to parse: The [dense_vector] field [v] in doc [document with id …] has a different "
            "number of dimensions […] than defined in the mapping […]",
        ),
        (
            "[1:11] mapping set to strict, dynamic introduction of [x] within [o.line.2] is not allowed",
            "mapping set to strict, dynamic introduction of [x] within [o.line.2] is not allowed",
        ),
        (
            """one immense term in field="k" (longer than 32766). The prefix is: '[120, 1]...'""",
            """one immense term in field="k" (longer than …). The prefix is: …""",
        ),
        ('invalid input syntax for type integer: "a \'b"', "invalid input syntax for type integer: …"),
        ("KeyError: 'price'\nTraceback (most recent call last):\n  File", "KeyError: …"),
        (TOO_LARGE.reason, "… bytes, and the server takes … at most"),
    ],
)
def test_what_differs_from_row_to_row_is_no_part_of_the_cause(reason: str, shared: str) -> None:
    """Ids, values and sizes; names of fields and types are. The reasons are Elasticsearch's and Postgres's own."""
    assert cause(reason) == shared


def test_a_group_tells_how_many_how_often_and_when() -> None:
    """The largest comes first."""
    hour = timedelta(hours=1)
    other = DeadLetter(("0",), 7, "unreadable", "invalid", NOON)
    letters = [
        replace(TOO_LARGE, at=NOON + hour, first_at=NOON - hour, attempts=3),
        replace(TOO_LARGE, key=("2",), reason="202 bytes, and the server takes 100 at most", passing=True),
        replace(TOO_LARGE, key=("3",), passing=True, attempts=2),
    ]
    shared = "… bytes, and the server takes … at most"
    assert grouped([other, *letters]) == [
        LetterGroup(
            "document_too_large",
            shared,
            first_at=NOON - hour,
            last_at=NOON + hour,
            letters=3,
            attempts=3,
            passing=2,
            retry_at=NOON + timedelta(minutes=1),
            examples=[("1",), ("2",), ("3",)],
        ),
        LetterGroup("unreadable", "invalid", NOON, NOON, letters=1, attempts=1, examples=[("0",)]),
    ]


def test_a_group_names_a_few_of_its_rows() -> None:
    """Those open longest; there may be a million."""
    [group] = grouped(replace(TOO_LARGE, key=(str(number),)) for number in range(100))
    assert (group.letters, group.examples) == (100, [(str(number),) for number in range(EXAMPLES_MAX)])
