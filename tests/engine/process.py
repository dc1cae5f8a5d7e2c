"""A process of syncer that a test may kill between any two of its port calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, NoReturn

from syncer.engine.pacing import Pacing
from syncer.engine.shared_reads import SharedReads
from syncer.engine.worker import Worker
from tests.builders import World
from tests.engine.intercepted import HANDS_OUT, Call, intercepted
from tests.engine.seeded_executor import SeededExecutor


class Killed(BaseException):
    """The process is gone: no statement after this one had any effect."""


class Process:
    """Everything of one process that is not durable."""

    def __init__(
        self,
        world: World,
        around: Callable[[Process, Call], Any],
        random: Random | None = None,
        shared_reads: SharedReads | None = None,
    ) -> None:
        """around: gets each port call in place of the port.

        random: decides on the order in which writes run; without it, each runs at once. shared_reads: with others.
        """
        self._around = around
        self._dead = False
        self._sessions: list[Any] = []
        self._claims: set[str] = set()
        self._store = world.store
        pipeline = replace(
            world.pipeline,
            executor=SeededExecutor(random),
            pacing=Pacing(),
            shared_reads=shared_reads or SharedReads(),
        )
        self.pipeline = intercepted(pipeline, self._call)
        self.worker = Worker(self.pipeline, world.events)

    @property
    def dead(self) -> bool:
        return self._dead

    def kill(self) -> NoReturn:
        """End it, as by kill -9; the servers notice that its sessions are gone."""
        self.end()
        raise Killed

    def end(self) -> None:
        """Let nothing of it remain."""
        self._dead = True
        for session in self._sessions:
            session.release()
        for index in self._claims:
            self._store.claim(index, False)

    def _call(self, call: Call) -> Any:
        if self._dead:
            raise Killed
        if call.name == "store.claim":
            # Also where it fails: it may have had its effect.
            self._claims.add(call.arguments[0])
        answer = self._around(self, call)
        if call.name in HANDS_OUT:
            self._sessions.append(answer)
        return answer
