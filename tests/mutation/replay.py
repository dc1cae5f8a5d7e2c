"""Plays histories until one goes wrong: `python -m tests.mutation.replay SEED…`; exit status 1 when one did.

Given a path instead of seeds, runs that test.
"""

from __future__ import annotations

import sys

import pytest

import syncer
from tests.engine.history import History, Wrong


def main(arguments: list[str]) -> int:
    """Return the exit status."""
    print("syncer from", syncer.__file__)
    if not arguments[0].isdecimal():
        return int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", *arguments]))
    for seed in map(int, arguments):
        try:
            History(seed).run()
        except Wrong as error:
            print(f"seed {seed}: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
