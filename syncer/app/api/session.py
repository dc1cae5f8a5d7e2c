"""The token of somebody at a browser, kept in a cookie that no script can read and no other site can have sent."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode

from fastapi import Request, Response

_COOKIE = "syncer_token"


def session_token(request: Request) -> str | None:
    """Return the token that the browser keeps; None: it keeps none."""
    try:
        return urlsafe_b64decode(request.cookies.get(_COOKIE, "").encode()).decode() or None
    except (ValueError, binascii.Error):
        return None


def keep_token(request: Request, response: Response, token: str) -> None:
    """Have the browser keep a token until it is closed."""
    # Encoded: a token may have characters that end a cookie.
    value = urlsafe_b64encode(token.encode()).decode()
    response.set_cookie(_COOKIE, value, httponly=True, samesite="strict", secure=_encrypted(request))


def forget_token(request: Request, response: Response) -> None:
    """Have the browser forget it."""
    response.delete_cookie(_COOKIE, httponly=True, samesite="strict", secure=_encrypted(request))


def _encrypted(request: Request) -> bool:
    """Tell whether the browser came over TLS, as far as a proxy in front says so: a lie would only cost the liar."""
    return request.url.scheme == "https" or request.headers.get("X-Forwarded-Proto", "").startswith("https")
