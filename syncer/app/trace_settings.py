"""The settings of traces."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from syncer.app.setting_type import BLANK_IS_NONE, Section


def collector(url: str) -> str:
    """Return the URL if it is one, without a password."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a URL such as http://127.0.0.1:4318/v1/traces")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or password: OTEL_EXPORTER_OTLP_HEADERS has room for a token")
    return url


class TraceSettings(Section):
    """Where spans of polls and their steps are sent to. See [monitoring](monitoring.md#traces)."""

    endpoint: Annotated[Annotated[str, AfterValidator(collector)] | None, BLANK_IS_NONE] = None
    """The address of a collector that takes OTLP over HTTP: `http://127.0.0.1:4318/v1/traces`; left out: nothing is
    traced."""
    ratio: float = Field(default=1.0, gt=0, le=1)
    """The share of polls, and of batches of other commands, that are traced."""
