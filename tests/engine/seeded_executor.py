"""Worker threads without threads, so that a history that fails does so again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from random import Random
from typing import Any


class SeededExecutor(Executor):
    """Runs what is submitted on the thread of whoever asks for a result, in an order that the seed decides.

    Without a seed: at once, when it is submitted.
    """

    def __init__(self, random: Random | None = None) -> None:
        self._random = random
        self._waiting: list[_Task] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        task = _Task(self, lambda: fn(*args, **kwargs))
        self._waiting.append(task)
        if self._random is None:
            task.run()
        return task

    def run_some(self) -> None:
        """Run as many of the waiting tasks as chance will have it."""
        assert self._random is not None
        while self._waiting and self._random.random() < 0.4:
            self._random.choice(self._waiting).run()

    def take(self, task: _Task) -> bool:
        """Strike a task off the waiting ones; False where it runs or has run."""
        if task in self._waiting:
            self._waiting.remove(task)
            return True
        return False


class _Task(Future[Any]):
    def __init__(self, executor: SeededExecutor, work: Callable[[], Any]) -> None:
        super().__init__()
        self._executor = executor
        self._work = work
        # `concurrent.futures.wait` asks for no result; it adds itself here, and then blocks.
        self._waiters = _Waiters(self.run)

    def run(self) -> None:
        if not self._executor.take(self) or not self.set_running_or_notify_cancel():
            return
        try:
            self.set_result(self._work())
        except BaseException as error:  # as ThreadPoolExecutor does
            self.set_exception(error)

    def done(self) -> bool:
        if not super().done():
            self._executor.run_some()
        return super().done()

    def result(self, timeout: float | None = None) -> Any:
        if not super().done():
            self._executor.run_some()
        self.run()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self.run()
        return super().exception(timeout)


class _Waiters(list[Any]):
    def __init__(self, run: Callable[[], None]) -> None:
        super().__init__()
        self._run = run

    def append(self, waiter: Any) -> None:
        super().append(waiter)
        self._run()
