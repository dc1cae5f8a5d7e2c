"""Keys and document ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.core.key import document_id, parse_document_id

part = st.text(alphabet=st.characters(codec="utf-8"))


@given(st.lists(part, min_size=1, max_size=4).map(tuple))
def test_a_document_id_leads_back_to_its_key(key: tuple[str, ...]) -> None:
    """The id is reversible, whatever is in the parts."""
    assert parse_document_id(document_id(key), len(key)) == key


@given(st.tuples(part, part), st.tuples(part, part))
def test_two_keys_never_share_an_id(one: tuple[str, str], other: tuple[str, str]) -> None:
    """The id is injective."""
    assert (document_id(one) == document_id(other)) == (one == other)


def test_a_simple_key_is_its_own_id() -> None:
    """A single part is not escaped."""
    assert document_id((r"a|b\c",)) == r"a|b\c"
    assert document_id(("a|b", "c")) == r"a\|b|c"


@pytest.mark.parametrize("text", ["a", "a|b|c", "a\\"])
def test_an_id_of_another_number_of_parts_is_refused(text: str) -> None:
    """A mistyped id is an error, not another row."""
    with pytest.raises(ValueError, match="not a key of 2 parts"):
        parse_document_id(text, 2)
