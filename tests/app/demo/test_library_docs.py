"""The demo's rows."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from syncer.app.demo.library_docs import Entry, library_entries


@pytest.fixture(scope="module", name="entries")
def _entries() -> list[Entry]:
    return library_entries()


def test_there_are_thousands_of_each_kind_of_entry_once(entries: list[Entry]) -> None:
    """Enough to search, no name twice, and nothing without text."""
    assert 3_000 <= len(entries) <= 8_000
    assert len({entry.name for entry in entries}) == len(entries)
    assert {entry.kind for entry in entries} == {"module", "class", "function", "method"}
    assert all(entry.summary and entry.doc for entry in entries)


def test_entries_carry_their_public_name_signature_and_first_sentence(entries: list[Entry]) -> None:
    """What is written in Python, in C, and elsewhere than where it is imported from."""
    by_name = {entry.name: entry for entry in entries}
    join = by_name["os.path.join"]
    assert (join.kind, join.module, join.signature) == ("function", "os.path", "(a, *p)")
    assert by_name["len"].summary == "Return the number of items in a container."
    assert by_name["str.split"].kind == "method"
    assert by_name["asyncio.run"].module == "asyncio"
    assert "asyncio.runners.run" not in by_name
    assert by_name["max"].summary.startswith("With a single iterable argument")


def test_every_process_reads_the_same_whatever_its_environment() -> None:
    """No address, no order of a set, no variable with a secret; and reading them prints nothing."""
    program = (
        "from hashlib import sha256; from syncer.app.demo.library_docs import library_entries; "
        "print(sha256(repr(library_entries()).encode()).hexdigest())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "SYNCER_TEST_SECRET": value, "PYTHONHASHSEED": value},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        ).stdout
        for value in ("1", "2")
    }
    assert len(printed) == 1
    assert re.fullmatch(r"[0-9a-f]{64}\n", printed.pop())
