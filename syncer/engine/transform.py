"""Documents as a function of the user's makes them of the rows' own.

    body ──parsed──▶ document ──function──▶ document ──written──▶ body
                                  │    └──▶ None: the row has no document
                                  └───────▶ it raises: the row is refused

Delivering, comparing and repairing call it after each hydration. A batch has its number by then: the longer a row waits
for one, the longer may an older state of it pass for the newest. The hash stays that of the row as Postgres writes it,
so that both sides of a comparison can be read without calling the function. Texts to embed are made of the row too.

What the function does wrong is the row's fault, never the pipeline's: a single row must not stop all others.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

from syncer.core.change import Draft, Hydration
from syncer.core.field import OWN_FIELD
from syncer.core.key import Key
from syncer.core.outcome import Rejected
from syncer.ports import Json

#: What a rejection is called.
KIND = "transform_failed"

#: Of an error's first line, and of each frame or message of its traceback: either may quote a whole document.
_PART_CHARACTERS_MAX = 500
#: Of a traceback. Its end says most.
_TRACEBACK_CHARACTERS_MAX = 4_000

#: A body, or None for no document.
Made = str | None | Rejected


class Transform:
    """A function of the user's. Safe for several threads: it is never called twice at once.

    Rejected: to let it be called by all threads together. Whoever writes a function for documents thinks of one at a
    time, and Python would run one at a time anyway.
    """

    def __init__(self, function: Callable[[Any], Any], json: Json, *, batch: bool) -> None:
        """batch: the function takes and returns lists."""
        self._function = function if batch else lambda documents: [function(document) for document in documents]
        self._batch = batch
        self._json = json
        self._lock = Lock()

    def of(self, drafts: Sequence[Draft]) -> Sequence[Made]:
        """Return what becomes of each draft's body."""
        if self._batch:
            return self._together(drafts) if drafts else []
        return [made for draft in drafts for made in self._together([draft])]

    def _together(self, drafts: Sequence[Draft]) -> list[Made]:
        """Call the function with these drafts at once; where that fails, with each half, until the row is found."""
        try:
            # Parsed anew at each call: the function may have changed documents before it raised.
            documents = [self._json.parse(draft.body) for draft in drafts]
            with self._lock:
                results = self._function(documents)
        except Exception as error:  # the user's function may raise anything
            failure = _failed(error)
        else:
            if isinstance(results, list | tuple) and len(results) == len(drafts):
                return [self._made(draft, result) for draft, result in zip(drafts, results, strict=True)]
            returned = f"{len(results)}" if isinstance(results, list | tuple) else _named(results)
            failure = Rejected(KIND, f"returned {returned} for a list of {len(drafts)}")
        if len(drafts) == 1:
            return [failure]
        half = len(drafts) // 2
        return [*self._together(drafts[:half]), *self._together(drafts[half:])]

    def _made(self, draft: Draft, result: Any) -> Made:
        if result is None:
            return None
        if not isinstance(result, dict):
            return Rejected(KIND, f"returned {_named(result)}, neither a dictionary nor None")
        try:
            body = self._json.write(result)
        except (TypeError, ValueError) as error:
            return Rejected(KIND, f"returned what is not JSON: {error}")
        for name in result:
            if name.startswith(OWN_FIELD) or name in draft.texts:
                return Rejected(KIND, f"returned a field {name}, which syncer fills itself")
        return body


def transformed(hydration: Hydration, transform: Transform | None) -> Hydration:
    """Return the rows as the transform makes documents of them, if there is one."""
    if transform is None:
        return hydration
    drafts: list[Draft] = []
    routings = dict(hydration.routings)
    refused: dict[Key, Rejected] = {}
    left_out: set[Key] = set()
    for draft, made in zip(hydration.drafts, transform.of(hydration.drafts), strict=True):
        if isinstance(made, str):
            drafts.append(replace(draft, body=made))
            continue
        if draft.routing is not None:
            routings[draft.key] = draft.routing
        if made is None:
            left_out.add(draft.key)
        else:
            refused[draft.key] = made
    return replace(hydration, drafts=drafts, routings=routings, refused=refused, left_out=left_out)


def _named(value: object) -> str:
    return f"a value of type {type(value).__name__}"


def _failed(error: Exception) -> Rejected:
    """Return a rejection with what was raised in its first line, and where in the others."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    # All but the first lines of a SyntaxError are indented.
    raised = next(line for line in traceback.format_exception_only(error) if not line[:1].isspace())
    told = "".join(map(_shortened, traceback.format_exception(type(error), error, trace)))
    if len(told) > _TRACEBACK_CHARACTERS_MAX:
        told = f"…{told[-_TRACEBACK_CHARACTERS_MAX:]}"
    return Rejected(KIND, f"{_shortened(raised.splitlines()[0])}\n{told.rstrip()}")


def _shortened(text: str) -> str:
    return text if len(text) <= _PART_CHARACTERS_MAX else f"{text[:_PART_CHARACTERS_MAX]}…\n"
