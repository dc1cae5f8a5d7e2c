"""Which scenarios run: most kinds of faults once, or as many scenarios as are asked for."""

from __future__ import annotations

import os
import random

import pytest

from tests.chaos.fault import FAULTS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    seed, count = (metafunc.config.getoption(name) for name in ("--chaos-seed", "--chaos-scenarios"))
    # With a seed alone every kind of fault can be chosen, to run one again.
    names = [name for name, fault in FAULTS.items() if count or seed is not None or not fault.long]
    # Processes that share one run of the tests must choose alike.
    first = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID")).randrange(1 << 30) if seed is None else seed
    turned = 0 if seed is not None else first % len(names)
    names = names[turned:] + names[:turned]
    chosen = [(names[number % len(names)], first + number // len(names)) for number in range(count or len(names))]
    metafunc.parametrize(("fault", "seed"), chosen, ids=[f"{name}-{seed}" for name, seed in chosen])
