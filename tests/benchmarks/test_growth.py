"""First load of ever larger tables: the rate and the memory beside those of the smallest, and comparing the largest."""

from __future__ import annotations

import os

import pytest

from tests.acceptance.installation import Installation
from tests.benchmarks.measure import create_pages, fill_pages, first_load, measured

pytestmark = pytest.mark.benchmark

#: The last one takes some minutes.
LARGEST = int(os.environ.get("SYNCER_BENCH_GROWTH_ROWS", "1000000"))
SIZES = (*(size for size in (10_000, 100_000) if size < LARGEST), LARGEST)


def test_growth(installation: Installation, machine: str) -> None:
    """Rows a second until all can be searched, and the peak of resident memory; a load that does not count is first."""
    create_pages(installation)
    filled, rates, peaks = 0, [], []
    for size in SIZES:
        fill_pages(installation, filled + 1, size)
        if not filled:
            first_load(installation, size)
        filled = size
        loaded = first_load(installation, size)
        rates.append(size / loaded.seconds)
        peaks.append(loaded.peak)
        print(
            f"\n{size:9,} rows: {rates[-1]:,.0f} rows/s (ratio {rates[-1] / rates[0]:.2f}), "
            f"RSS peak {peaks[-1]:.0f} MiB (ratio {peaks[-1] / peaks[0]:.2f})",
            end="",
        )
    verified = measured(installation, "verify")
    assert verified.report["source_rows"] == verified.report["indexed"] == SIZES[-1]
    print(f"\nverify of {SIZES[-1]:,} rows: {verified.seconds:.1f} s, RSS peak {verified.peak:.0f} MiB")
    print(f"(rows of 1 kB; {machine})")
