"""Single-row updates that were committed while no daemon ran, beside the first load of the same rows."""

from __future__ import annotations

import os
import statistics
import time

import pytest

from tests.acceptance.installation import Installation
from tests.benchmarks.measure import create_pages, fill_pages, first_load, measured, update_pages

pytestmark = pytest.mark.benchmark

ROWS = int(os.environ.get("SYNCER_BENCH_CATCH_UP_ROWS", "50000"))
TURNS = 2


def test_catching_up_with_single_row_updates(installation: Installation, machine: str) -> None:
    """Each row is updated once, and delivered by `run --once`; both rates are until all can be searched."""
    create_pages(installation)
    fill_pages(installation, 1, ROWS)
    ratios = []
    for turn in range(1, TURNS + 1):
        loaded = first_load(installation, ROWS)
        update_pages(installation, ROWS, turn)
        caught_up = measured(installation, "run", "--once")
        assert caught_up.report["applied"] >= ROWS
        started = time.monotonic()
        installation.client.options(request_timeout=120).indices.refresh(index=installation.alias)
        seconds = caught_up.seconds + time.monotonic() - started
        updated = installation.client.count(index=installation.alias, query={"match": {"title": f"turn{turn}"}})
        assert updated["count"] == ROWS
        ratios.append(loaded.seconds / seconds)
        print(
            f"\nturn {turn}: first load {ROWS / loaded.seconds:,.0f} rows/s, catch-up {ROWS / seconds:,.0f} rows/s, "
            f"ratio {ratios[-1]:.2f}, RSS peak {caught_up.peak:.0f} MiB",
            end="",
        )
    print(f"\ncatch-up, {ROWS:,} single-row updates x 1 kB: ratio median {statistics.median(ratios):.2f}")
    print(f"({machine})")
