"""A random history of one pipeline: writers, processes, faults, and what happens between any two port calls."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from syncer.adapters.memory.source import MemoryKeyFeed
from syncer.adapters.memory.wakeups import MemoryWakeups
from syncer.core.change import Document, Write
from syncer.core.error import LeaseError, TransientError
from syncer.core.index import Phase, Role
from syncer.core.key import Key
from syncer.core.outcome import Deferred, Outcome, Rejected
from syncer.engine.backfill import backfill
from syncer.engine.polled import Polled
from syncer.engine.rebuild import rebuild, rollback
from syncer.engine.resync import resync
from syncer.engine.shared_reads import SharedReads
from tests.engine.audit import Audit
from tests.engine.history_world import a_random_world, route_by_authors
from tests.engine.intercepted import HANDS_OUT, Call
from tests.engine.neighbour import Neighbour
from tests.engine.process import Killed, Process
from tests.engine.related_writers import RelatedWriters
from tests.engine.trouble import NEVER_RAISE, trouble
from tests.engine.writers import HOT, Writers

STEPS = 60
#: Within port calls: a backfill would never end in a table that grows as fast.
HAPPENINGS_MAX = 300
#: A resync within a poll within a backfill.
DEPTH = 3

#: What may happen in a history. Each seed chooses some: a rare mixture shows what a full one hides.
FEATURES = (
    "hidden starts", "deferrals", "dead letters", "errors", "kills", "takeovers", "late bulks",
    "restarts", "fail-overs", "clock steps", "beside", "tombstones", "routing", "embedding",
)  # fmt: skip
#: Nobody promises anything of the second where there is the first.
#: A bulk that lands after its caller gave up finds a shard that has forgotten the removal; so does a zombie's.
#: A clock that steps back while no process looks is not seen.
#: A sequence that went back is met by conflicts; what was numbered before and lands after needs the clock's raise.
EXCLUDED = {
    "restarts": ("late bulks", "takeovers"),
    "clock steps": ("kills", "takeovers"),
    "fail-overs": ("late bulks", "kills"),
}

#: In addition, decided apart so that every other history stays what it was: the index is built again and swapped.
REBUILDS = 0.25
#: And so: documents have rows of other tables in them.
RELATIONS = 0.4
#: And so: one of those tables decides on the shards, where no column of the table itself does.
ROUTED_BY_OTHERS = 0.7
#: And so: another pipeline of the process reads the same feeds.
NEIGHBOURS = 0.4
#: And so: polls are woken, by commits and by nothing, and not by every commit.
WAKEUPS = 0.4

Session = Generator[Polled, None, None]


class Wrong(AssertionError):
    """A checkpoint claimed more than was settled, or the index is not equal to the table in the end."""


class History:
    """One seed's history; `run` ends with everything calm and compared, or raises Wrong."""

    def __init__(self, seed: int) -> None:
        random.seed(seed)  # the engine's backing off is random too
        chance = self.random = random.Random(seed)
        self.has = {feature for feature in FEATURES if chance.random() < 0.5}
        for feature, others in EXCLUDED.items():
            if feature in self.has:
                self.has -= set(others)
        self.rebuilds = random.Random(f"rebuilds {seed}").random() < REBUILDS
        self.world = a_random_world(chance, self.has, self._answer)
        self.writers = Writers(chance, self.world.table)
        related = random.Random(f"relations {seed}")
        self.related = RelatedWriters(related, self.world.table) if related.random() < RELATIONS else None
        routed = random.Random(f"routed by others {seed}").random() < ROUTED_BY_OTHERS
        if routed and self.related and not self.world.table.routing:
            route_by_authors(self.world)
        # What would be waited for is read by who asks: there are no threads.
        self.shared_reads = SharedReads(patience_seconds=0)
        self.neighbour: Neighbour | None = None
        if random.Random(f"neighbours {seed}").random() < NEIGHBOURS:
            self.neighbour = Neighbour(self.world, self.shared_reads)
        self.wakeups: MemoryWakeups | None = None
        if random.Random(f"wakeups {seed}").random() < WAKEUPS:
            self.wakeups = MemoryWakeups(self.world.clock)
            self.world.pipeline = replace(self.world.pipeline, wakeups=self.wakeups)
        self.audit = Audit(self.world, self.writers)
        self.writers.deletes = self.world.table.triggers
        self.writers.bad = "dead letters" in self.has
        self.world.table.shows_start = "hidden starts" not in self.has
        self.rate = chance.choice([0.002, 0.01, 0.04])
        self.busy = chance.choice([0.02, 0.1, 0.3, 0.6])
        self.calm = False
        self.depth = 0
        self.happenings = 0
        self.process: Process | None = None
        self.session: Session | None = None
        self.zombies: list[Session] = []
        self.late: list[Call] = []
        self.unfinished: list[Sequence[Key]] = []

    def run(self) -> None:
        self.poll()
        steps: list[tuple[Callable[[], None], float]] = [
            (self.writers.write, 6), (self.writers.begin, 3), (self.writers.end, 3), (self.pass_time, 4),
            (self.poll, 10), (self.wake_zombie, 1), (self.land, 1), (self.restart, 1), (self.fail_over, 0.3),
            (self.set_clock_back, 1), (self.resync, 0.5), (self.backfill, 0.3),
        ]  # fmt: skip
        if self.related:
            steps += [(self.related.write, 4)]
        if self.rebuilds:
            steps += [(self.rebuild, 3), (self.roll_back, 2)]
        if self.neighbour:
            steps += [(self.neighbour.poll, 10)]
        if self.wakeups:
            steps += [(self.wakeups.wake, 8)]
        for _ in range(STEPS):
            self._one_of(steps)
        self._calm_down()
        if found := self.audit.wrong():
            raise Wrong(f"in the end: {', '.join(found[:5])}")

    # What happens, at the top or within a port call.

    def pass_time(self) -> None:
        self.world.clock.advance(self.random.choice([0.1, 0.7, 3, 30]))

    def poll(self) -> None:
        """Poll once more, in a new session or process where the last one has ended."""
        session = self.session
        if session is not None and inspect.getgeneratorstate(session) == inspect.GEN_RUNNING:
            return
        if session is None:
            shared = self.shared_reads if self.neighbour else None
            self.process = self.process or Process(self.world, self.around, self.random, shared)
            session = self.session = self.process.worker.session()
        self._follow(session)

    def wake_zombie(self) -> None:
        """Let a poller go on that has lost its lease and does not know."""
        if self.zombies:
            self._follow(self.zombies.pop(self.random.randrange(len(self.zombies))))

    def take_over(self) -> None:
        """Another process takes the lease, while the one that has held it goes on."""
        if "takeovers" in self.has and self.session and self._live():
            self.zombies.append(self.session)
            self.world.store.expire(self.world.record.name)
            self.process = self.session = None
            for _ in range(self.random.choice([0, 1, 3])):
                self.poll()

    def land(self) -> None:
        """Let a bulk arrive whose caller has given up."""
        if self.late:
            self.late.pop(self.random.randrange(len(self.late)))()

    def restart(self) -> None:
        if "restarts" in self.has and self._live():
            self.world.index.restart()

    def fail_over(self) -> None:
        """The state database comes back as it was some numbers ago, between two polls."""
        if "fail-overs" in self.has and self._live() and not self.depth:
            store, lost = self.world.store, self.random.choice([1, 10, 200])
            letters = [letter for record in store.indices() for letter in store.dead_letters(record.name)]
            # No number is drawn a second time that the older copy itself holds.
            held = max((letter.version for letter in letters), default=0)
            store.fail_over(min(lost, store.draw() - held))

    def set_clock_back(self) -> None:
        if "clock steps" in self.has:
            self.world.clock.step(-self.random.choice([0.5, 3, 40]))

    def resync(self, keys: Sequence[Key] | None = None) -> None:
        """Deliver the hot keys, some of which are not in the table, in a process of its own."""
        if "beside" not in self.has or not self._live():
            return
        keys = keys or [(f"{key:05}",) for key in self.random.sample(range(HOT), 4)]
        pipeline = Process(self.world, self.around, self.random).pipeline
        try:
            resync(pipeline, pipeline.reader().documents, self.world.record.name, MemoryKeyFeed(self.world.table, keys))
        except (TransientError, LeaseError, Killed):
            self.unfinished.append(keys)

    def backfill(self) -> None:
        """Begin one in a process of its own, or go on with it."""
        if "beside" not in self.has or not self._live():
            return
        pipeline = Process(self.world, self.around, self.random).pipeline
        with suppress(TransientError, LeaseError, Killed):
            progress = pipeline.store.backfill(self.world.record.name)
            try:
                backfill(pipeline, self.world.record.name, progress, skip_unchanged=True)
            finally:
                progress.release()

    def rebuild(self) -> None:
        """Build another index in a process of its own, or go on with it, and let it take the place of the live one."""
        self._swap(rebuild)

    def roll_back(self) -> None:
        """Let the kept index take its place again."""
        if any(record.role is Role.KEPT for record in self.world.store.indices()):
            self._swap(rollback)

    def _swap(self, act: Callable[..., object]) -> None:
        if not self._live():
            return
        self.world.clock.advance(0.1)  # indices are named by the time
        process = Process(self.world, self.around, self.random)
        with suppress(TransientError, LeaseError, Killed):
            act(process.pipeline, self.world.events)
        process.end()

    # Around every port call of every process.

    def around(self, process: Process, call: Call) -> Any:
        if self.calm or self.depth >= DEPTH or call.name in NEVER_RAISE:
            return self._audited(call)
        self._happen()
        answer = self._faulty(process, call)
        self._happen()
        return answer

    def _happen(self) -> None:
        while self.random.random() < self.busy and self.happenings < HAPPENINGS_MAX:
            self.happenings += 1
            self.depth += 1
            try:
                happenings: list[tuple[Callable[[], None], float]] = [
                    (self.writers.write, 6), (self.writers.begin, 2), (self.writers.end, 4), (self.pass_time, 1),
                    (self.poll, 2), (self.resync, 0.5), (self.backfill, 0.1), (self.take_over, 0.1), (self.restart, 1),
                    (self.land, 0.3),
                ]  # fmt: skip
                if self.related:
                    happenings += [(self.related.write, 1)]
                if self.neighbour:
                    happenings += [(self.neighbour.poll, 2)]
                if self.wakeups:
                    happenings += [(self.wakeups.wake, 2)]
                self._one_of(happenings)
            finally:
                self.depth -= 1

    def _faulty(self, process: Process, call: Call) -> Any:
        if self.random.random() >= self.rate:
            return self._audited(call)
        kinds = ["before", "after"] * ("errors" in self.has) + ["kill before", "kill after"] * ("kills" in self.has)
        if call.name == "sink.write":
            kinds += ["half"] * ("errors" in self.has) + ["late", "late half"] * ("late bulks" in self.has)
        kind = self.random.choice(kinds or ["none"])
        writes = call.arguments[0] if call.name == "sink.write" else ()
        half = replace(call, arguments=(writes[: len(writes) // 2],))
        if kind in ("none", "after", "kill after"):
            answer = self._audited(call)
            if kind == "none":
                return answer
            if call.name in HANDS_OUT:
                answer.release()  # whoever is told of a failure has closed the session
        if kind in ("half", "late half"):
            half()
        if kind in ("late", "late half"):
            self.late.append(call)
        if kind.startswith("kill"):
            process.kill()
        raise trouble(call.name)

    def _audited(self, call: Call) -> Any:
        answer = call()
        if call.name == "lease.commit" and "clock steps" not in self.has and self._is_of_the_live_index(call):
            [settlement] = call.arguments
            for feed, checkpoint in settlement.checkpoints.items():
                if found := self.audit.unsettled(feed, checkpoint.position):
                    raise Wrong(f"below the checkpoint {checkpoint.position}: {', '.join(found[:5])}")
        return answer

    def _answer(self, write: Write) -> Outcome | None:
        if isinstance(write, Document) and '"refused"' in write.draft.body:
            return Rejected("document_parsing_exception", "not a number")
        if not self.calm and "deferrals" in self.has and self.random.random() < self.busy:
            return Deferred("busy", suspect=self.random.random() < 0.3)
        return None

    def _calm_down(self) -> None:
        """End what is open, and poll until there is nothing more to do."""
        self.calm = True
        for writers in (self.writers, self.related):
            for transaction in writers.open if writers else ():
                transaction.commit()
            if writers:
                writers.open.clear()
        while len(self.late) > 1:
            self.land()
        for _ in range(10 * len(self.zombies)):
            self.wake_zombie()
        # One that was about to take the lease when another did may be the one that holds it now.
        for session in self.zombies:
            session.close()
        for keys in self.unfinished:
            self.resync(keys)
        if self._live():
            self.backfill()
        # Stamps ahead of a clock that was set back are read when they are due; dead letters are tried again.
        for seconds in (0, 100, 4000):
            self.world.clock.advance(seconds)
            for _ in range(400):
                self.poll()
                polls = self.world.events.polls
                if self.session and polls and not polls[-1].report.read and polls[-1].caught_up:
                    break
        while self.late:
            self.land()

    def _follow(self, session: Session) -> None:
        """Let a session poll once."""
        try:
            next(session)
        except (TransientError, LeaseError, StopIteration):
            pass
        except Killed:
            self.process = self.process if self.session is not session else None
        else:
            if session is not self.session:
                self.zombies.append(session)
            return
        if session is self.session:
            self.session = None

    def _is_of_the_live_index(self, call: Call) -> bool:
        return self._live() and bool(call.method.__self__.index == self.world.record.name)

    def _live(self) -> bool:
        record = self.world.store.index(self.world.pipeline.name)
        return record is not None and record.phase is Phase.LIVE

    def _one_of(self, steps: Sequence[tuple[Callable[[], None], float]]) -> None:
        [step] = self.random.choices([step for step, _ in steps], [weight for _, weight in steps])
        step()
