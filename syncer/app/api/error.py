"""What a request is answered that cannot be served: what happened, which field, and what to do. Never a traceback."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import Scope

from syncer.core.error import (
    EmbedderUnavailable,
    FingerprintMismatch,
    IndexMissing,
    RequestInvalid,
    SyncerError,
    TransientError,
)

#: What kinds of conditions and facets are called: pydantic puts them between the places of an error.
_KINDS = frozenset({"term", "range", "exists", "prefix", "near", "not", "one_of", "terms", "date"})
#: By pydantic's type of error.
_WORDS = {
    "extra_forbidden": "is not known",
    "missing": "is missing",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object, sent as Content-Type: application/json",
}
#: What parts of a request are called as query parameters.
_PARAMETERS = {"text": "q", "conditions": "filter", "facets": "facet"}


#: What only a parameter `range` has.
_BOUNDS = frozenset({"gt", "gte", "lt", "lte"})


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong."""

    #: For programs: stays the same where the message changes.
    type: str
    message: str
    #: What of the request is wrong, as it is written there: `sort.0.field`, or a query parameter.
    field: str | None = None
    #: What to do.
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """The body of every answer that is an error."""

    error: Trouble
    #: That of the header `X-Request-ID`; logs have it too.
    request_id: str


@dataclass(eq=False)
class ApiError(Exception):
    """Ends a request with a status and what went wrong."""

    status: int
    trouble: Trouble
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self, request_id: str) -> Response:
        body = asdict(ErrorAnswer(self.trouble, request_id))
        # Half a character, which a message may quote, is no UTF-8.
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        return Response(text, self.status, headers=dict(self.headers), media_type="application/json")


#: Makes the answer of an error, in the form that whoever asked can read.
Tell = Callable[[Scope, ApiError], Response]


def as_json(scope: Scope, error: ApiError) -> Response:
    """Implements `Tell` for programs."""
    return error.response(scope["state"]["request_id"])


def invalid(part: str | None, message: str, hint: str | None = None) -> ApiError:
    """Return the error of a request that cannot be meant."""
    return ApiError(422, Trouble("invalid_request", message, part, hint))


def not_found(part: str, message: str, hint: str | None = None) -> ApiError:
    return ApiError(404, Trouble("not_found", message, part, hint))


def forbidden(part: str, message: str, hint: str | None = None) -> ApiError:
    return ApiError(403, Trouble("forbidden", message, part, hint))


def busy(kind: str, message: str, seconds: float | None = None) -> ApiError:
    """Return the error of what may be asked again; seconds: when."""
    return ApiError(503, Trouble(kind, message), {"Retry-After": str(max(1, math.ceil(seconds or 1)))})


def unexpected() -> ApiError:
    """Return the error of a bug, or of what the operator has to mend."""
    return ApiError(
        500, Trouble("internal_error", "the request could not be served", hint="tell the operator the request_id")
    )


def answer_errors(app: FastAPI, tell: Tell) -> None:
    """Have an application answer its errors in this form."""

    async def api_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        return tell(request.scope, error)

    async def syncer_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, SyncerError)
        return tell(request.scope, _of(error, by_parameters=request.method == "GET"))

    async def validation_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return tell(request.scope, _misread(error, by_parameters=request.method == "GET"))

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
        made = ApiError(error.status_code, Trouble(kind, str(error.detail)), error.headers or {})
        return tell(request.scope, made)

    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(SyncerError, syncer_error)
    app.add_exception_handler(RequestValidationError, validation_error)
    app.add_exception_handler(HTTPException, http_error)


def _of(error: SyncerError, *, by_parameters: bool) -> ApiError:
    """Return what the caller is told. Of servers no more than that they are away: the rest is for the log."""
    if isinstance(error, RequestInvalid):
        return invalid(_named(error.part, by_parameters=by_parameters), error.message, error.hint or None)
    structlog.get_logger().warning("request failed", kind=type(error).__name__, message=error.message, hint=error.hint)
    match error:
        case EmbedderUnavailable():
            return busy("embedding_unavailable", "queries cannot be embedded for now", error.retry_after)
        case TransientError():
            return busy("search_unavailable", "Elasticsearch does not answer for now", error.retry_after)
        case IndexMissing():
            return busy("index_missing", "there is no index to search yet", 10)
        case FingerprintMismatch():
            trouble = Trouble(
                "index_outdated",
                "the index holds vectors of another model than the one configured",
                hint="search with mode keyword until it is rebuilt",
            )
            return ApiError(503, trouble, {"Retry-After": "60"})
        case _:
            return unexpected()


def misread(error: Mapping[str, Any], *, by_parameters: bool) -> ApiError:
    """Return what the caller is told of one of pydantic's errors."""
    if error["type"] == "json_invalid":
        return ApiError(400, Trouble("invalid_json", f"the body is not JSON: {error['ctx']['error']}"))
    place = _place(error["loc"])
    message = str(error["msg"]).replace("Input should be", "must be").replace("String should", "must")
    message = _WORDS.get(error["type"], message[:1].lower() + message[1:])
    return invalid(_named(place, by_parameters=by_parameters), message)


def _misread(error: RequestValidationError, *, by_parameters: bool) -> ApiError:
    return misread(error.errors()[0], by_parameters=by_parameters)


def _place(location: tuple[int | str, ...]) -> str:
    """Return where an error is, as a caller would write it."""
    kept: list[int | str] = []
    for part in location[1:] if location[:1] in {("body",), ("query",), ("path",)} else location:
        of_many = len(kept) > 1 and kept[-2] in ("conditions", "facets")
        if part in _KINDS and (of_many or kept[-1:] == ["condition"]):
            continue
        kept.append(part)
    return ".".join(map(str, kept))


def _named(part: str, *, by_parameters: bool) -> str | None:
    if by_parameters:
        first, _, rest = part.partition(".")
        bound = first == "conditions" and rest.rpartition(".")[2] in _BOUNDS
        part = "range" if bound else _PARAMETERS.get(first, first)
    return part or None
