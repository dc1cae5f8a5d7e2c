"""What a request is called, in its answer and in logs."""

from __future__ import annotations

import re
from uuid import uuid4

from syncer.app.api.limits import REQUEST_ID_CHARACTERS

HEADER = "X-Request-ID"

_SANE = re.compile(rf"[A-Za-z0-9._-]{{1,{REQUEST_ID_CHARACTERS}}}")


def request_id(given: str | None) -> str:
    """Return the caller's name for a request if it can stand in a log line, else a new one."""
    return given if given and _SANE.fullmatch(given) else uuid4().hex
