"""One scripted change of configuration, with a fault at one of its port calls, while everybody goes on writing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Any

from syncer.core.error import FingerprintMismatch, IndexMissing, LeaseError, TransientError
from syncer.core.fingerprint import differences
from syncer.core.index import IndexRecord, Phase, Role
from syncer.engine.pipeline import OnChange, Pipeline, Retention
from syncer.engine.rebuild import Rebuilt, promote, rebuild, rollback
from syncer.engine.retention import retire
from tests.engine.follower import Follower
from tests.engine.intercepted import HANDS_OUT, Call
from tests.engine.process import Killed, Process
from tests.engine.promises import Broken, Promises
from tests.engine.rebuild_world import BusyWriters, NarrowWriters, a_changing_world
from tests.engine.scenario import BULK_FAULTS, Fault
from tests.engine.trouble import trouble

#: A write and a poll of each daemon, every so many port calls.
WRITE_CALLS = 3
POLL_CALLS = 7
ATTEMPTS_MAX = 4


class Act(StrEnum):
    """What is done, by a process that the faults meet."""

    REBUILD = "rebuild"
    PROMOTE = "promote"
    ROLLBACK = "rollback to an index that nobody follows"
    ROLLBACK_FOLLOWED = "rollback to an index that is followed"
    DAEMON = "a daemon that rebuilds by itself"
    GROW = "a run that adds fields in place"
    RETIRE = "retention, while the kept index is followed"


class Heir(StrEnum):
    """Who goes on where that process is never started again."""

    OLD = "a daemon of the configuration before"
    NEW = "a daemon of the new configuration"
    REBUILDING = "a daemon of the new configuration that rebuilds by itself"


class RebuildScenario:
    """The script: whoever does it repeats it until it ends well, as an operator would, or an heir goes on."""

    def __init__(self, act: Act, fault: Fault | None = None, at: int = -1, heir: Heir | None = None) -> None:
        """at: counts the port calls from 0. heir: for a process that is killed."""
        self.act, self.fault, self.at, self.heir = act, fault, at, heir
        #: Their names, in order.
        self.calls: list[str] = []
        self.late: list[Call] = []
        world, self.old, self.new = a_changing_world()
        self.world = world
        self.writers = BusyWriters(world.table)
        self._promises = Promises(world, self.writers, NarrowWriters(self.writers), self.old)
        self._happening = False
        self._company = 0
        self.daemons = [Follower(world, self.old, self._checked)]
        self._poll(2)
        self._prepare()
        self._first = self.record.name

    @property
    def record(self) -> IndexRecord:
        return self.world.record

    @property
    def target(self) -> Pipeline:
        """What the configuration is to be in the end."""
        return self.old if self.act in (Act.ROLLBACK, Act.ROLLBACK_FOLLOWED) else self.new

    def run(self) -> list[str]:
        """Play it to its end; return what is wrong then."""
        if self.act is Act.GROW:
            self.daemons.pop().close()
        self.writers.begin_anew()
        try:
            self._do()
        except Killed:
            decided = self._decided()
            self._daemon_of_the_heir()
            if self.heir is Heir.OLD and not decided:
                return self._end(followed=self._first)
            if not decided and not self._goes_on():
                return self._end(followed=self._first, caught_up=False)
        return self._end()

    def _goes_on(self) -> bool:
        """Tell whether the heir completes what was not decided."""
        if self.act is Act.GROW:
            return True
        # An index of the wanted configuration was replaced once, and only an operator swaps back to it.
        return self.heir is Heir.REBUILDING and self.act not in (Act.ROLLBACK, Act.ROLLBACK_FOLLOWED)

    # The steps.

    def _prepare(self) -> None:
        world = self.world
        if self.act in (Act.REBUILD, Act.DAEMON, Act.GROW):
            return
        self.daemons.pop().close()
        world.clock.advance(1)
        rebuild(self.new, world.events, swaps=self.act is not Act.PROMOTE)
        self.daemons = [Follower(world, self.old if self.act is Act.PROMOTE else self.new, self._checked)]
        if self.act in (Act.ROLLBACK_FOLLOWED, Act.RETIRE):
            kept = next(record for record in world.store.indices() if record.role is Role.KEPT)
            self.daemons.append(Follower(world, self.old, self._checked, kept.name))
        self._poll(2)

    def _do(self) -> None:
        """Do it until it is complete."""
        self.world.clock.advance(1)
        process = self._process()
        for _ in range(ATTEMPTS_MAX):
            try:
                if self._step(process):
                    return
            except Killed:
                if self.heir:
                    raise
                process = self._process()
            except FingerprintMismatch:
                assert self._is_live(self.target)  # a daemon was faster with what was left to do
                return
            except (TransientError, LeaseError):
                # A command ends then; a daemon is the same process.
                if self.act not in (Act.DAEMON, Act.GROW):
                    process.end()
                    process = self._process()
        raise AssertionError(f"{self.fault} at call {self.at}: no end of failures")

    def _step(self, process: Process) -> bool:
        events = self.world.events
        match self.act:
            case Act.REBUILD:
                act: Callable[..., Rebuilt] = rebuild
            case Act.PROMOTE:
                if self._is_live(self.new):
                    return True
                act = promote
            case Act.ROLLBACK | Act.ROLLBACK_FOLLOWED:
                if self._is_live(self.old):
                    return True
                act = rollback
            case Act.RETIRE:
                retire(replace(process.pipeline, retention=Retention(indices=0)), events)
                return not any(record.role is Role.KEPT for record in self.world.store.indices())
            case Act.DAEMON | Act.GROW:
                process.worker.run_once()
                return True
        return act(process.pipeline, events).complete

    def _process(self) -> Process:
        target = self.target
        if self.act is Act.DAEMON:
            target = replace(target, on_change=OnChange.REBUILD)
        if self.act is Act.GROW:
            target = self._growing(target)
        return Process(replace(self.world, pipeline=target), self._around)

    def _growing(self, pipeline: Pipeline) -> Pipeline:
        return replace(pipeline, grows_from=lambda definition: definition == self.old.definition)

    def _daemon_of_the_heir(self) -> None:
        before = self.new if self.target is self.old else self.old
        target = self._growing(self.target) if self.act is Act.GROW else self.target
        by_heir = {
            Heir.OLD: before,
            Heir.NEW: target,
            Heir.REBUILDING: replace(target, on_change=OnChange.REBUILD),
        }
        if self.heir is not Heir.OLD or self.act is Act.GROW:
            self.daemons.append(self._daemon(by_heir[self.heir or Heir.OLD], self._in_company))
        for _ in range(6):
            self._write()
            self._poll(1)

    def _daemon(self, pipeline: Pipeline, around: Callable[[Call], Any]) -> Follower:
        # Fields are filled before the polls: on a thread beside them, nobody could tell which call comes when.
        return Follower(self.world, pipeline, around, once=self.act is Act.GROW)

    def _end(self, followed: str | None = None, *, caught_up: bool = True) -> list[str]:
        """Let everything come to rest, with daemons of the configuration that is live; return what is wrong.

        followed: the index that must still be; None: the one of the new configuration.
        """
        world = self.world
        self._happening = True  # nothing happens any more
        self.writers.end_all()
        if followed is None:
            daemon = self._daemon(self._growing(self.target) if self.act is Act.GROW else self.target, self._checked)
            for each in self.daemons:
                each.step()
            self.daemons = [each for each in self.daemons if not each.ended]
            self.daemons.append(daemon)
        for seconds in (0, 1, 100, 4000):
            world.clock.advance(seconds)
            self._poll(2)
        while self.late:
            self.late.pop()()
        for each in self.daemons:
            each.close()
        expected = (FingerprintMismatch, IndexMissing) if self.act is Act.RETIRE else FingerprintMismatch
        ended = [each.ended for each in self.daemons if each.ended and not isinstance(each.ended, expected)]
        return [
            *map(str, ended),
            *self._wrong_roles(followed),
            *(self._promises.audit(self.record.name).wrong() if caught_up else ()),
            *self._promises.astray(),
        ]

    def _wrong_roles(self, followed: str | None) -> list[str]:
        live = self.record
        if followed is not None:
            return [] if live.name == followed else [f"{live.name} is followed, not {followed}"]
        if differences(live.fingerprint, self.target.fingerprint):
            return [f"{live.name} is not of the configuration"]
        return [] if live.phase is Phase.LIVE else [f"{live.name} is {live.phase}"]

    # Around every port call of the process.

    def _around(self, process: Process, call: Call) -> Any:
        number = len(self.calls)
        self.calls.append(call.name)
        if not self._happening:
            self._happen(number, call.name)
        if self.fault is None or number != self.at:
            answer = self._checked(call)
            if call.name == "sink.write" and self.fault is Fault.LATE:
                while self.late:
                    self.late.pop()()
            return answer
        return self._faulty(process, call, self.fault)

    def _in_company(self, call: Call) -> Any:
        """Let the others go on while an heir works."""
        self._company += 1
        if not self._happening:
            self._happen(self._company, call.name)
        return self._checked(call)

    def _happen(self, number: int, name: str) -> None:
        self._happening = True
        try:
            if number % WRITE_CALLS == 0 or name in ("lease.succeed", "indices.publish", "hits.find"):
                self._write()
            if number % POLL_CALLS == 0:
                self._poll(1)
        finally:
            self._happening = False

    def _write(self) -> None:
        self.writers.write()

    def _poll(self, times: int) -> None:
        for _ in range(times):
            for daemon in self.daemons:
                daemon.step()

    def _faulty(self, process: Process, call: Call, fault: Fault) -> Any:
        if fault is Fault.KILLS:
            process.kill()
        if fault is Fault.HALF:
            writes = call.arguments[0]
            replace(call, arguments=(writes[: len(writes) // 2],))()
        if fault in (Fault.LATE, Fault.LAST):
            self.late.append(call)
        if fault is Fault.RAISES or fault in BULK_FAULTS:
            raise trouble(call.name)
        answer = self._checked(call)
        if call.name in HANDS_OUT:
            answer.release()  # its session ends with whoever asked for it
        if fault is Fault.KILLS_AFTER:
            process.kill()
        raise trouble(call.name)

    def _checked(self, call: Call) -> Any:
        try:
            return self._promises.checked(call)
        except Broken as error:
            raise AssertionError(f"{self.fault} at call {self.at}: {error}") from error

    def _is_live(self, pipeline: Pipeline) -> bool:
        live = self.record
        return live.phase is Phase.LIVE and not differences(live.fingerprint, pipeline.fingerprint)

    def _decided(self) -> bool:
        """Tell whether the index of the new configuration is the one that is followed."""
        return not differences(self.record.fingerprint, self.target.fingerprint)
