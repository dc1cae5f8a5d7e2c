"""Random histories of transactions, clocks, outages and crashes, each of which must end with an equal index."""

from __future__ import annotations

import random
from collections.abc import Generator
from contextlib import suppress

import pytest

from syncer.adapters.memory.source import MemoryTransaction
from syncer.core.error import SinkUnavailable
from syncer.core.outcome import Deferred
from syncer.engine.poll import Polled
from tests.builders import World, a_world

HISTORIES = 150
STEPS = 120
KEYS = 60


class History:
    """Writers, a poller that may be killed, an index that may be away; no row is changed again to heal a loss."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.world: World = a_world(
            batch_rows=self.random.choice([2, 5, 50]),
            pages=self.random.choice([1, 2, 20]),
            window_entries=self.random.choice([3, 1000]),
        )
        self.world.table.shows_start = self.random.random() < 0.5
        self.open: list[MemoryTransaction] = []
        self.fresh = iter(range(10**6))
        self.session: Generator[Polled, None, None] | None = None

    def run(self) -> None:
        self.poll()
        steps = [
            (self.write, 6), (self.begin, 4), (self.end, 4), (self.pass_time, 4), (self.poll, 8),
            (self.crash, 0.5), (self.outage, 0.5), (self.set_clock_back, 0.3), (self.defer, 1),
        ]  # fmt: skip
        for _ in range(STEPS):
            step = self.random.choices([step for step, _ in steps], [weight for _, weight in steps])[0]
            step()
        self.calm()

    def write(self) -> None:
        """Stamp with the transaction's start, whole seconds, or an application's clock that is a little slow."""
        transaction = self.random.choice(self.open) if self.open else self.world.table.begin()
        key = (f"{next(self.fresh) % KEYS if self.random.random() < 0.2 else KEYS + next(self.fresh):05}",)
        stamp = transaction.stamp
        if self.random.random() < 0.3:
            stamp = stamp.replace(microsecond=0)
        transaction.put(key, stamp, n=next(self.fresh))
        if transaction not in self.open:
            transaction.commit()

    def begin(self) -> None:
        if len(self.open) < 5:
            self.open.append(self.world.table.begin())

    def end(self) -> None:
        if self.open:
            transaction = self.open.pop(self.random.randrange(len(self.open)))
            transaction.rollback() if self.random.random() < 0.1 else transaction.commit()

    def pass_time(self) -> None:
        self.world.clock.advance(self.random.choice([0.1, 0.7, 3, 30]))

    def poll(self) -> None:
        self.session = self.session or self.world.worker().session()
        try:
            next(self.session)
        except SinkUnavailable:
            self.session = None

    def crash(self) -> None:
        if self.session:
            self.session.close()
            self.session = None

    def outage(self) -> None:
        self.world.outage = None if self.world.outage else SinkUnavailable("away")

    def set_clock_back(self) -> None:
        self.world.clock.step(-self.random.choice([0.5, 3, 40]))

    def defer(self) -> None:
        """Let a share of the keys be put off for a while."""
        share = self.random.choice([0, 0, 3])
        every = [f"{key:05}" for key in range(KEYS + 200)]
        self.world.answers = {(key,): Deferred("busy") for key in every if share and int(key) % share == 0}

    def calm(self) -> None:
        """End everything that is open, and poll until there is nothing more to do."""
        self.world.outage, self.world.answers = None, {}
        for transaction in self.open:
            transaction.commit()
        for _ in range(200):
            with suppress(SinkUnavailable):
                self.poll()
            if self.world.events.polls[-1].report.read == 0 and not self.world.events.polls[-1].more:
                break
        # Stamps ahead of a clock that was set back are read when they are due.
        self.world.clock.advance(100)
        for _ in range(100):
            self.poll()
        self.crash()


@pytest.mark.parametrize("batch", range(10))
def test_every_history_ends_with_an_equal_index(batch: int) -> None:
    """Whatever happened in whatever order; the seed of a history that fails is in the message."""
    for seed in range(batch * HISTORIES // 10, (batch + 1) * HISTORIES // 10):
        history = History(seed)
        history.run()
        rows, documents = history.world.table.documents(), history.world.index.documents()
        assert documents == rows, f"seed {seed}: lost {sorted(rows.keys() - documents.keys())[:5]}"
