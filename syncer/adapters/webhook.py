"""Telling of alerts over HTTP, on a thread of its own: whoever tells never waits, and never fails by it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Full, Queue
from threading import Thread
from typing import Any

import urllib3

from syncer.core.alert import Kept
from syncer.core.retry import backoff_seconds
from syncer.ports import Clock

#: Attempts at one request; with waits of up to half a minute that is some minutes.
_ATTEMPTS = 14
#: Requests that wait; alerts are seldom, and the ones of an hour ago are no news.
_WAITING = 100
#: What the end of a process is told of itself, a server that answers has taken by then.
_END_SECONDS = 2.0
#: As Alertmanager writes it.
_NO_END = "0001-01-01T00:00:00Z"
#: Statuses below 500 that pass; others mean that the request is wrong, and stays so.
_PASSING = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Hook:
    """Where to, and as whom."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_seconds: float = 10.0


class Webhook:
    """Posts what fires and what resolves. One that cannot be told after some minutes is given up."""

    def __init__(
        self,
        hook: Hook,
        clock: Clock,
        failed: Callable[[str, bool], None],
        *,
        random: Callable[[], float] = random.random,
    ) -> None:
        """failed: told why a request failed, and whether it was given up."""
        self._hook = hook
        self._clock = clock
        self._failed = failed
        self._random = random
        self._queue: Queue[Mapping[str, Any] | None] = Queue(_WAITING)
        # Redirects are refused: the headers are for this server alone.
        self._pool = urllib3.PoolManager(retries=False, timeout=hook.timeout_seconds)

    def tell(self, status: str, kept: Sequence[Kept], at: str) -> None:
        """Have alerts told; status: `firing` or `resolved`; at: the time, as ISO 8601. Never waits, never raises."""
        try:
            self._queue.put_nowait(document(status, kept, at))
        except Full:
            self._failed("too many alerts wait to be told", True)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell while the block runs. Its end waits for what is still to be told, for two seconds at most."""
        # A daemon: it must not hold up the end of the process any longer.
        thread = Thread(target=self._run, name="webhook", daemon=True)
        thread.start()
        try:
            yield
        finally:
            try:
                self._queue.put_nowait(None)
                thread.join(_END_SECONDS)
            except Full:
                self._failed("the process ends, and alerts were not told", True)

    def _run(self) -> None:
        while (waiting := self._queue.get()) is not None:
            self._deliver(json.dumps(waiting, ensure_ascii=False).encode())

    def _deliver(self, body: bytes) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            said, passes = self._post(body)
            if said is None:
                return
            given_up = not passes or attempt == _ATTEMPTS or self._clock.stopping()
            self._failed(said, given_up)
            if given_up:
                return
            self._clock.wait(backoff_seconds(attempt, self._random))

    def _post(self, body: bytes) -> tuple[str | None, bool]:
        """Return what went wrong, and whether that may pass; None: nothing."""
        headers = {"Content-Type": "application/json", **self._hook.headers}
        try:
            answer = self._pool.request(
                "POST", self._hook.url, body=body, headers=headers, redirect=False, preload_content=False
            )
            # Unread: whatever else it says, and however long that is.
            answer.close()
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            # Its text names the address, whose path may be the secret.
            return f"the webhook does not answer: {type(error).__name__}", True
        if answer.status < 300:
            return None, True
        return f"the webhook answered {answer.status}", answer.status >= 500 or answer.status in _PASSING


def document(status: str, kept: Sequence[Kept], at: str) -> Mapping[str, Any]:
    """Return what is posted: what Alertmanager posts to its receivers, with a line of `text` for chats."""
    return {
        "version": "4",
        "receiver": "syncer",
        "status": status,
        "text": "\n".join(_line(status, one) for one in kept),
        "alerts": [
            {
                "status": status,
                "labels": {"alertname": one.alert.name, "severity": one.alert.severity.value, **one.alert.labels},
                "annotations": {"summary": one.alert.message, "description": one.alert.remedy},
                "startsAt": one.since.isoformat(),
                "endsAt": at if status == "resolved" else _NO_END,
            }
            for one in kept
        ],
    }


def _line(status: str, one: Kept) -> str:
    remedy = f" → {one.alert.remedy}" if status == "firing" else ""
    return f"{status}: {one.alert.name} ({one.alert.severity.value}): {one.alert.message}{remedy}"
