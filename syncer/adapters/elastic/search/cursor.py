"""Cursors: where a search goes on, in a text that nobody else can write.

A cursor names a point in time on the server. Whoever could write one could read what another search has found, so it is
signed, together with the search that it belongs to: its conditions, which may be all that keeps a tenant to his own
documents, cannot be left out on the second page.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from syncer.core.error import RequestInvalid
from syncer.ports import Clock

#: A point in time, and with it the cursor, is kept from one page to the next.
KEEP_ALIVE = timedelta(minutes=5)
#: Characters; each shard adds some to the name of a point in time.
_LENGTH_MAX = 100_000
_SIGNATURE_BYTES = 16
_AGAIN = "ask for the first page again"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a search goes on."""

    #: The server's name of the point in time.
    point: str
    #: What the last document was sorted by.
    after: Sequence[Any]
    #: Documents on the pages before.
    seen: int


class Cursors:
    """Writes cursors and reads them."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        """secret: signs them; who shares it reads each other's."""
        self._secret = secret
        self._clock = clock

    def write(self, place: Place, search: str) -> str:
        """Return the cursor to a place in a search; search: whatever tells it from others."""
        until = (self._clock.now() + KEEP_ALIVE).timestamp()
        said = json.dumps([place.point, place.after, place.seen, until], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._signature(said, search) + said).decode().rstrip("=")

    def read(self, cursor: str, search: str) -> Place:
        """Return the place. Raises RequestInvalid for a cursor that is not of this search, or too old."""
        try:
            if len(cursor) > _LENGTH_MAX:
                raise ValueError
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise RequestInvalid("cursor", "is none that this search has given", hint=_AGAIN) from None
        signature, said = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(said, search)):
            raise RequestInvalid("cursor", "is none that this search has given", hint=_AGAIN)
        point, after, seen, until = json.loads(said)
        if self._clock.now().timestamp() > until:
            raise expired()
        return Place(point, after, seen)

    def _signature(self, said: bytes, search: str) -> bytes:
        of = hashlib.sha256(search.encode("utf-8", "surrogatepass")).digest()
        return hmac.digest(self._secret, of + said, "sha256")[:_SIGNATURE_BYTES]


def expired() -> RequestInvalid:
    """Return the error of a cursor whose point in time is gone."""
    minutes = KEEP_ALIVE.total_seconds() / 60
    return RequestInvalid("cursor", f"has expired: a page is to be asked for within {minutes:.0f} minutes", hint=_AGAIN)
