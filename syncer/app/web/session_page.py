"""Where somebody gives a token, to have it kept by the browser, and where the browser forgets it."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from syncer.app.api.error import ApiError, forbidden
from syncer.app.api.scope import Served
from syncer.app.api.session import forget_token, keep_token
from syncer.app.web.rendering import page

router = APIRouter(include_in_schema=False)


@router.post("/session")
async def begin(request: Request) -> Response:
    """Keep a token that is known, and go where somebody wanted to."""
    _prove_own(request)
    # Not by FastAPI's forms, which need one more package.
    given = parse_qs((await request.body()).decode("utf-8", "replace"))
    token, then = (given.get(name, [""])[0].strip() for name in ("token", "then"))
    served: Served = request.app.state.served
    try:
        served.tokens.access(token)
    except ApiError as error:
        return asked(_local(then), "That token is not known.", error)
    response = RedirectResponse(_local(then), 303)
    keep_token(request, response, token)
    return response


@router.post("/session/end")
async def end(request: Request) -> Response:
    """Have the browser forget the token."""
    _prove_own(request)
    response = RedirectResponse("/", 303)
    forget_token(request, response)
    return response


def asked(then: str, told: str, error: ApiError) -> Response:
    """Return the page that asks for a token; then: where to go with it."""
    return page("session.html", error.status, error.headers, then=then, told=told)


def _local(url: str) -> str:
    """Return an address of this server alone: nobody is sent elsewhere by a link that begins here."""
    plain = url.startswith("/") and not url.startswith(("//", "/\\")) and url.isprintable()
    return url if plain else "/"


def _prove_own(request: Request) -> None:
    """Raise ApiError where the form is one of another site: it would make somebody search as somebody else."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise forbidden("token", "the form was sent by another site")
