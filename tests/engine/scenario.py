"""One scripted life of a pipeline, with a fault at one of its port calls."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from random import Random
from typing import Any

from syncer.adapters.memory.sink import MemorySink
from syncer.adapters.memory.source import MemoryKeyFeed
from syncer.core.change import Document, Write
from syncer.core.error import LeaseError, TransientError
from syncer.core.index import Phase
from syncer.core.key import Key
from syncer.core.outcome import Deferred, Outcome, Rejected
from syncer.core.vector import Chunks
from syncer.engine.backfill import backfill
from syncer.engine.polled import Polled
from syncer.engine.resync import resync
from tests.builders import a_world
from tests.engine.audit import Audit
from tests.engine.intercepted import HANDS_OUT, Call
from tests.engine.process import Killed, Process
from tests.engine.trouble import NEVER_RAISE, trouble
from tests.engine.visible_documents import of_visible_rows
from tests.engine.writers import Writers


class Fault(StrEnum):
    """What becomes of one port call."""

    RAISES = "raises, without effect"
    RAISES_AFTER = "takes effect, then raises"
    KILLS = "the process is killed before it"
    KILLS_AFTER = "the process is killed after it"
    #: The process goes on after the call, and does not know.
    TAKEN_OVER = "another process takes the lease before it, and polls"
    TAKEN_OVER_AFTER = "another process takes the lease after it, and polls"
    HALF = "half of a bulk is applied, then it raises"
    LATE = "a bulk raises, and is applied after the next one"
    LAST = "a bulk raises, and is applied after everything else"


BULK_FAULTS = (Fault.HALF, Fault.LATE, Fault.LAST)
KEYS: Sequence[Key] = [(f"{number:02}",) for number in range(7)]


class Scenario:
    """The script: a new session, or a new process, repeats each step until it ends well, as an operator would."""

    def __init__(self, fault: Fault | None = None, at: int = -1) -> None:
        """at: counts the port calls from 0."""
        self.fault = fault
        self.at = at
        #: Their names, in order.
        self.calls: list[str] = []
        self.busy: set[Key] = set()
        self.late: list[Call] = []
        world = self.world = a_world(batch_rows=4, range_rows=4, pages=5, embedding=True, chunks=Chunks(5, 0))
        world.table.triggers = True
        world.pipeline = replace(
            of_visible_rows(world.pipeline),
            sink=lambda index: MemorySink(world.indices.indices[index], self._answer),
        )
        self.writers = Writers(Random(0), world.table)
        self.audit = Audit(world, self.writers)
        self.process = self._process()
        self.session: Generator[Polled, None, None] | None = None
        self.zombies: list[Generator[Polled, None, None]] = []

    def run(self) -> list[str]:
        """Play it to its end; return what is wrong then."""
        table, clock = self.world.table, self.world.clock
        for key in KEYS:
            table.put(key, n=1, text=f"text {key[0]}")
        table.put(("98",), n=1, refused=True)
        long = table.begin()
        long.put(("20",), n=1, text="late")
        self.writers.open.append(long)
        self._poll(2)

        table.put(("00",), n=2, text="changed")
        table.put(("01",), n=2, hidden=True)
        table.put(("02",), n=2, unreadable=True)
        table.put(("21",), n=1, text="new")
        table.delete(("03",))
        self.busy = {("04",), ("22",)}
        table.put(("04",), n=2, text="put off")
        table.delete(("05",))
        table.put(("22",), n=1)
        self._poll(2)
        clock.advance(100)
        self._poll(1)
        clock.advance(100)
        long.commit()
        self.writers.open.clear()
        self.busy = set()
        table.put(("03",), n=3, text="again")
        table.put(("02",), n=3, text="mended")
        self._poll(3)

        self._backfill()
        self._resync([("00",), ("05",), ("98",)])
        self.world.store.fail_over(100)
        table.put(("06",), n=4, text="after the fail-over")
        table.put(("01",), n=4, text="shown again")
        self._poll(2)
        clock.advance(4000)
        self._poll(2)
        for zombie in self.zombies:
            with suppress(LeaseError, StopIteration):
                for _ in range(10):
                    next(zombie)
        while self.late:
            self.late.pop()()
        if self.session:
            with suppress(Killed):
                self.session.close()
        return self.audit.wrong()

    # The steps.

    def _poll(self, times: int) -> None:
        def poll() -> None:
            session = self.session = self.session or self.process.worker.session(asks=True)
            try:
                next(session)
            except BaseException:
                if self.session is session:
                    self.session = None
                raise

        for _ in range(times):
            self._repeat(poll)

    def _backfill(self) -> None:
        def fill() -> None:
            pipeline = self._process().pipeline
            progress = pipeline.store.backfill(self.world.record.name)
            try:
                backfill(pipeline, self.world.record.name, progress, skip_unchanged=True)
            finally:
                progress.release()

        self._repeat(fill)

    def _resync(self, keys: Sequence[Key]) -> None:
        def deliver() -> None:
            pipeline = self._process().pipeline
            documents = pipeline.reader().documents
            resync(pipeline, documents, self.world.record.name, MemoryKeyFeed(self.world.table, keys))

        self._repeat(deliver)

    def _repeat(self, step: Callable[[], None]) -> None:
        for _ in range(4):
            try:
                return step()
            except Killed:
                self.process = self._process()
            except (TransientError, LeaseError):
                pass
        raise AssertionError(f"{self.fault} at call {self.at}: no end of failures")

    # The fault.

    def _process(self) -> Process:
        return Process(self.world, self._around)

    def _around(self, process: Process, call: Call) -> Any:
        number = len(self.calls)
        self.calls.append(call.name)
        if self.fault is None or number != self.at:
            answer = call()
            self._checked(call)
            if call.name == "sink.write" and self.fault is Fault.LATE:
                while self.late:
                    self.late.pop()()
            return answer
        return self._faulty(process, call, self.fault)

    def _faulty(self, process: Process, call: Call, fault: Fault) -> Any:
        if fault is Fault.KILLS:
            process.kill()
        if fault is Fault.TAKEN_OVER:
            self._take_over()
        if fault is Fault.HALF:
            writes = call.arguments[0]
            replace(call, arguments=(writes[: len(writes) // 2],))()
        if fault in (Fault.LATE, Fault.LAST):
            self.late.append(call)
        if fault is Fault.RAISES or fault in BULK_FAULTS:
            raise trouble(call.name)
        answer = call()
        self._checked(call)
        if fault is Fault.TAKEN_OVER_AFTER:
            self._take_over()
        if fault in (Fault.RAISES_AFTER, Fault.KILLS_AFTER) and call.name in HANDS_OUT:
            answer.release()  # its session ends with whoever asked for it
        if fault is Fault.KILLS_AFTER:
            process.kill()
        if fault is Fault.RAISES_AFTER:
            raise trouble(call.name)
        return answer

    def _take_over(self) -> None:
        record = self.world.store.index("items")
        if record is None:
            return
        self.world.store.expire(record.name)
        if self.session:
            self.zombies.append(self.session)
        self.process, self.session = self._process(), None
        self._poll(2)

    def _checked(self, call: Call) -> None:
        """Hold each checkpoint of a loaded index against the table."""
        if call.name == "lease.commit" and self.world.record.phase is Phase.LIVE:
            for feed, checkpoint in call.arguments[0].checkpoints.items():
                found = self.audit.unsettled(feed, checkpoint.position)
                assert not found, f"{self.fault} at call {self.at}: below the checkpoint {checkpoint.position}: {found}"

    def _answer(self, write: Write) -> Outcome | None:
        if isinstance(write, Document) and '"refused"' in write.draft.body:
            return Rejected("document_parsing_exception", "not a number")
        return Deferred("busy") if write.key in self.busy else None


def applies(fault: Fault, name: str) -> bool:
    """Tell whether a call can meet a fault."""
    if fault in BULK_FAULTS:
        return name == "sink.write"
    return name not in NEVER_RAISE or fault not in (Fault.RAISES, Fault.RAISES_AFTER)
