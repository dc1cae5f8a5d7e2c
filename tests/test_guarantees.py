"""docs/guarantees.md and docs/security.md name tests: those that they name are there, and those owed are named."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE, SECURITY = (TESTS.parent / "docs" / name for name in ("guarantees.md", "security.md"))
_TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")

#: File below `tests`, function.
Name = tuple[str, str]


def named(text: str) -> set[Name]:
    return {(file, function) for file, function in _TEST.findall(text)}


def written() -> dict[Name, str]:
    """Return the docstring of every test there is, without importing any."""
    return {
        (path.relative_to(TESTS).as_posix(), node.name): ast.get_docstring(node) or ""
        for path in TESTS.rglob("test_*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def rows(page: Path) -> Iterator[str]:
    """Yield the lines of the tables whose last column is that of the tests."""
    shown = False
    for line in page.read_text().splitlines():
        if not line.startswith("|"):
            shown = False
        elif line.endswith("| shown by |"):
            shown = True
        elif shown and not line.startswith("|--"):
            yield line


@pytest.mark.parametrize("page", [PAGE, SECURITY], ids=lambda page: page.stem)
def test_every_test_that_is_named_is_there(page: Path) -> None:
    """A promise whose test was renamed or deleted is no longer shown."""
    found = named(page.read_text())
    assert found
    assert found - written().keys() == set()


@pytest.mark.parametrize("page", [PAGE, SECURITY], ids=lambda page: page.stem)
def test_every_line_names_a_test(page: Path) -> None:
    """What nothing shows is not promised."""
    lines = list(rows(page))
    assert lines
    assert [line for line in lines if not named(line)] == []


def test_every_test_with_a_dagger_is_named() -> None:
    """It stands before what broke an earlier form of the protocol; the page has a line for each."""
    daggers = {name for name, docstring in written().items() if docstring.startswith("†")}
    assert daggers
    assert daggers - named(PAGE.read_text()) == set()
