"""Follows the indices of a pipeline beside the live one, so that one of them can take its place at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from syncer.core.error import IndexMissing, SyncerError
from syncer.core.fingerprint import differences
from syncer.engine.attach import is_beside
from syncer.engine.events import Events
from syncer.engine.pipeline import Pipeline
from syncer.engine.worker import Worker

#: How often it is asked which indices there are.
LOOK_SECONDS = 2.0
#: How long an index is left alone that could not be followed.
LEAVE_SECONDS = 60.0


@dataclass(slots=True)
class Followers:
    """A thread for each index that is kept, or waits to be promoted, and was built from this configuration."""

    pipeline: Pipeline
    #: By index.
    events: Callable[[str], Events]
    _threads: dict[str, threading.Thread] = field(default_factory=dict)
    _left_until: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        """Follow until the process is asked to stop. Never raises."""
        clock = self.pipeline.clock
        while not clock.wait(LOOK_SECONDS):
            try:
                records = self.pipeline.store.indices(self.pipeline.name)
            except SyncerError:
                continue  # the worker of the live index meets the same, and tells
            for record in records:
                if is_beside(record) and not differences(record.fingerprint, self.pipeline.fingerprint):
                    self._begin(record.name)

    def _begin(self, index: str) -> None:
        thread = self._threads.get(index)
        if thread is not None and thread.is_alive():
            return
        if self.pipeline.clock.monotonic() < self._left_until.get(index, float("-inf")):
            return
        # A daemon: what hangs in a call must not keep the process.
        thread = self._threads[index] = threading.Thread(
            target=self._follow, args=(index,), name=f"follow {index}", daemon=True
        )
        thread.start()

    def _follow(self, index: str) -> None:
        try:
            Worker(self.pipeline, self.events(index), index=index).run()
        except IndexMissing:
            pass  # deleted between two looks; or by somebody else, and `syncer indices` says so
        except SyncerError as error:
            self.events(index).follower_failed(error)
        except RuntimeError:
            # The threads that write are gone at the end of the process.
            if not self.pipeline.clock.stopping():
                raise
        self._left_until[index] = self.pipeline.clock.monotonic() + LEAVE_SECONDS
