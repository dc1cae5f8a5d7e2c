"""Templates as answers. Everything is escaped, and nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from syncer.app.commands.status import duration

#: Served as they are, by name.
STATIC: Mapping[str, str] = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    # What somebody looks for stands in the address.
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def page(template: str, code: int = 200, headers: Mapping[str, str] | None = None, **shown: Any) -> Response:
    """Return a template as an answer."""
    text = _templates().get_template(template).render(version=version(), **shown)
    # A lone surrogate, which a `json` column may hold, is no UTF-8.
    return HTMLResponse(text.encode("utf-8", "replace"), code, {**_HEADERS, **(headers or {})})


@cache
def static(name: str) -> bytes:
    """Return a file of `STATIC`."""
    return files(__package__).joinpath("static", name).read_bytes()


@cache
def version() -> str:
    """Return what changes whenever one of the files does: browsers keep them under it."""
    return blake2b(b"".join(static(name) for name in STATIC), digest_size=6).hexdigest()


@cache
def _templates() -> Environment:
    assert __package__
    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["number"] = lambda value: f"{value:,}"
    made.filters["duration"] = duration
    made.filters["moment"] = _moment
    made.filters["size"] = _size
    return made


def _moment(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else "–"


def _size(octets: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if octets < 1000:
            return f"{octets:.0f} {unit}" if unit == "B" or octets >= 10 else f"{octets:.1f} {unit}"
        octets /= 1000
    return f"{octets:,.1f} TB"
