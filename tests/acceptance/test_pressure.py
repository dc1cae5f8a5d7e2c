"""A server that is slow: what waits for it takes no more memory than what does not have to wait."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.acceptance.installation import Installation
from tests.conftest import Elastic
from tests.services.proxy import ProxyFactory, Way

ROWS = 20_000
BATCH_ROWS = 1000
#: About 1 kB each: all of them together are more than the limit below allows.
FILL = """
INSERT INTO public.item (id, title)
SELECT i, (SELECT string_agg(md5(i || ':' || j), '') FROM generate_series(1, 32) j) FROM generate_series(1, %s) i
"""
#: Of the peak of a load without delay. Rows that pile up while answers are awaited would add half of it.
RATIO_MAX = 1.3


def test_memory_stays_bounded_while_the_server_is_slow(
    installation: Installation, elastic: Elastic, proxy: ProxyFactory
) -> None:
    """A load whose answers are each held up peaks where an undelayed one does."""
    installation.sql(FILL, ROWS)
    slow = proxy(elastic.url)
    installation.elasticsearch = {**installation.elasticsearch, "hosts": [slow.url(elastic.url)]}
    quick_peak, quick_seconds = load(installation, f"{installation.alias}-quick")
    slow.delay(0.3, Way.ANSWER)
    slow_peak, slow_seconds = load(installation, f"{installation.alias}-slow")
    print(f"peak {quick_peak} kB in {quick_seconds:.1f} s, delayed {slow_peak} kB in {slow_seconds:.1f} s")
    # Not the seconds: of a machine that has something else to do they tell nothing.
    assert slow.held_up(Way.ANSWER) > ROWS / BATCH_ROWS
    assert slow_peak < RATIO_MAX * quick_peak


def load(installation: Installation, alias: str) -> tuple[int, float]:
    """Load a new index to the end; return the greatest resident memory in kB, and the seconds."""
    installation.alias = alias
    installation.configure(poll={"batch_rows": BATCH_ROWS}, index={"replicas": 0})
    started, peak = time.monotonic(), 0
    with installation.running("run", "--once") as run:
        status = Path(f"/proc/{run.process.pid}/status")
        while run.process.poll() is None:
            found = re.search(r"VmHWM:\s+(\d+)", status.read_text())
            peak = max(peak, int(found[1]) if found else 0)
            time.sleep(0.05)
        assert run.process.returncode == 0, run.log.read_text()[-2000:]
    seconds = time.monotonic() - started
    installation.client.indices.refresh(index=alias)
    assert installation.client.count(index=alias)["count"] == ROWS
    return peak, seconds
