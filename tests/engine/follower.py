"""A daemon that a test lets poll once in a while."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

from syncer.core.error import FatalError, LeaseError, TransientError
from syncer.engine.pipeline import Pipeline
from syncer.engine.polled import Polled
from syncer.engine.worker import Worker
from tests.builders import World
from tests.engine.intercepted import Call
from tests.engine.process import Process


class Follower:
    """One index in one process; as `Worker.run`, but for the waits."""

    def __init__(
        self,
        world: World,
        pipeline: Pipeline,
        around: Callable[[Call], Any],
        index: str | None = None,
        *,
        once: bool = False,
    ) -> None:
        """once: see `Worker.session`."""
        self._once = once
        process = Process(replace(world, pipeline=pipeline), lambda _process, call: around(call))
        self._worker = Worker(process.pipeline, world.events, index=index)
        self._session: Generator[Polled, None, None] | None = None
        #: Why it has ended for good.
        self.ended: FatalError | None = None
        #: Settled since the start.
        self.polls = 0

    def step(self) -> None:
        """Poll once, in a new session where the last one has ended; nothing, from within a poll of its own."""
        if self.ended or (self._session and inspect.getgeneratorstate(self._session) == inspect.GEN_RUNNING):
            return
        session = self._session = self._session or self._worker.session(asks=True, once=self._once)
        try:
            next(session)
        except (TransientError, LeaseError, StopIteration):
            self._session = None
        except FatalError as error:
            self.ended = error
        else:
            self.polls += 1

    def close(self) -> None:
        """End it."""
        if self._session:
            self._session.close()
        self._session = None
