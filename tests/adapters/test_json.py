"""JSON as orjson reads and writes it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from syncer.adapters.json import OrJson


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": None, "b": [1, 0.5, True], "ü": "\n"}, '{"a":null,"b":[1,0.5,true],"ü":"\\n"}'),
        (datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC), '"2024-05-06T07:08:09.123456+00:00"'),
        (date(2024, 5, 6), '"2024-05-06"'),
        (UUID(int=0), '"00000000-0000-0000-0000-000000000000"'),
        ((1, 2), "[1,2]"),
    ],
)
def test_values_are_written_on_one_line(value: Any, text: str) -> None:
    """Dates and UUIDs as text that Elasticsearch reads."""
    assert OrJson().write(value) == text


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("wrap", [lambda n: n, lambda n: [n], lambda n: {"a": {"b": (1, n)}}])
def test_what_is_no_number_is_refused(number: float, wrap: Any) -> None:
    """orjson would write null, which is another value."""
    with pytest.raises(ValueError, match="infinite"):
        OrJson().write(wrap(number))
    assert OrJson().write(wrap(None))


def test_numbers_keep_64_bits_and_fractions_are_doubles() -> None:
    """More digits are rounded."""
    parsed = OrJson().parse("[9007199254740993, 18446744073709551616, 0.12345678901234567890]")
    assert parsed == [9007199254740993, 18446744073709551616.0, 0.12345678901234568]
    assert isinstance(parsed[1], float)
