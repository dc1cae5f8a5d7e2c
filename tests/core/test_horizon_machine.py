"""Horizon, window and checkpoint against an oracle that knows every row, committed or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule

from syncer.core.change import Change
from syncer.core.horizon import NO_TIME, Horizon
from syncer.core.key import Key
from syncer.core.position import Position
from syncer.core.window import Window

MARGIN = timedelta(seconds=2)
SECONDS = st.sampled_from([0, 3, 0, 1, 10])


@dataclass(eq=False)
class Transaction:
    """Rows that will appear together; `began` is shown to the poller where `shown`."""

    name: str
    began: datetime
    shown: bool
    rows: dict[Key, Change] = field(default_factory=dict)


class Feed(RuleBasedStateMachine):
    """A table, its writers and a poller that fails, stops half-way and crashes.

    Checked after each poll that settles: no row that is visible, or yet to appear, lies undelivered below the
    checkpoint. And always: what the window holds was delivered.
    """

    transactions = Bundle("transactions")

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.monotonic = datetime(2026, 1, 1, tzinfo=UTC), 0.0
        self.open: list[Transaction] = []
        self.table: dict[Key, Change] = {}
        self.delivered: set[Change] = set()
        self.count = 0
        self.checkpoint = Position(self.clock - MARGIN)
        self.seen = (self.clock, self.monotonic)
        self.stepped = False

    @initialize(entries=st.sampled_from([2, 100]))
    def connect(self, entries: int) -> None:
        self.entries = entries
        self.horizon, self.window = Horizon.at(self.checkpoint), Window(entries)

    @rule(seconds=st.sampled_from([0, 0, 0, 0.5, 20]))
    def step_back(self, seconds: float) -> None:
        self.clock -= timedelta(seconds=seconds)
        self.stepped = self.stepped or seconds > 0

    @rule(target=transactions, shown=st.booleans())
    def begin(self, shown: bool) -> Transaction:
        self.count += 1
        transaction = Transaction(f"t{self.count}", self.clock, shown)
        self.open.append(transaction)
        return transaction

    @rule(transaction=transactions, key=st.integers(0, 1), late=st.sampled_from([0, 1.9]))
    def write(self, transaction: Transaction, key: int, late: float) -> None:
        """Stamp with the transaction's start, by a clock that may be a little slow."""
        self.count += 1
        stamp = transaction.began - timedelta(seconds=late)
        transaction.rows[str(key),] = Change((str(key),), stamp, str(self.count))

    @rule(key=st.integers(0, 1))
    def write_alone(self, key: int) -> None:
        """Two of them may have one stamp."""
        self.count += 1
        self.table[str(key),] = Change((str(key),), self.clock, str(self.count))

    @rule(transaction=consumes(transactions), commits=st.booleans())
    def end(self, transaction: Transaction, commits: bool) -> None:
        self.open.remove(transaction)
        if commits:
            self.table |= transaction.rows

    @rule(seconds=SECONDS, fails=st.integers(0, 4).map(lambda dice: dice == 4), rows=st.sampled_from([100, 3, 1]))
    def poll(self, seconds: float, fails: bool, rows: int) -> None:
        """Deliver after a while what is new; settle, unless it fails, perhaps before the table's end is reached."""
        self.clock += timedelta(seconds=seconds)
        self.monotonic += seconds
        t = self.clock - MARGIN
        slip = max(NO_TIME, timedelta(seconds=self.monotonic - self.seen[1]) - (self.clock - self.seen[0]))
        shown = {each.name: each.began if each.shown else None for each in self.open}
        scan = self.horizon.begin(t, shown, MARGIN, slip)
        found = [change for change in self._ordered() if _above(change, scan.start) and change.watermark <= scan.until]
        reached = None
        if len(found) > rows and found[rows - 1].watermark < scan.t:
            reached, found = Position(found[rows - 1].watermark, found[rows - 1].key), found[:rows]
        for change in found[: len(found) // 2] if fails else found:
            if self.window.holds("", change):
                assert change in self.delivered
            self.delivered.add(change)
            self.window.add("", change)
        if fails:
            self.connect(self.entries)
            return
        self.horizon, self.checkpoint = scan.settled(reached), scan.checkpoint(reached)
        self.seen, self.stepped = (self.clock, self.monotonic), False
        self._check()

    @rule(dice=st.integers(0, 3))
    def crash(self, dice: int) -> None:
        """Another process goes on; it knows nothing of how the clock went, so that must not have stepped back."""
        if dice == 3 and not self.stepped:
            self.connect(self.entries)
            self.seen = (self.clock, self.monotonic)

    def _check(self) -> None:
        lost = [c for c in self.table.values() if not _above(c, self.checkpoint) and c not in self.delivered]
        assert not lost, f"below {self.checkpoint}: {lost}"
        coming = [c for each in self.open for c in each.rows.values() if c.watermark < self.checkpoint.watermark]
        assert not coming, f"to appear below {self.checkpoint}: {coming}"

    def _ordered(self) -> list[Change]:
        return sorted(self.table.values(), key=lambda change: (change.watermark, change.key))


def _above(change: Change, position: Position) -> bool:
    if position.key is None or change.watermark != position.watermark:
        return change.watermark >= position.watermark
    return change.key > position.key


TestFeed = Feed.TestCase
TestFeed.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None, derandomize=True, print_blob=True, database=None
)
