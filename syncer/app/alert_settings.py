"""The settings of alerts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from syncer.app.setting_type import BLANK_IS_NONE, Duration, Section, seconds
from syncer.core.alert_rule import Thresholds


def seconds_or_off(value: Any) -> float | None:
    """Return a duration in seconds; None for `off`, which YAML reads as false."""
    return None if value is None or value is False or value == "off" else seconds(value)


def percent_or_off(value: Any) -> float | None:
    """Return a percentage: `85`, `85%`; None for `off`, which YAML reads as false."""
    if value is None or value is False or value == "off":
        return None
    text = str(value).strip().removesuffix("%").strip()
    try:
        found = float(text) if not isinstance(value, bool) else -1.0
    except ValueError:
        found = -1.0
    if not 0 < found < 100:
        raise ValueError("must be a percentage such as 85%, or off")
    return found


def webhook_url(secret: SecretStr) -> SecretStr:
    """Return the URL if it is one."""
    parts = urlsplit(secret.get_secret_value())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a URL such as https://hooks.example.com/syncer")
    return secret


def header_values(headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
    """Return headers that can be sent."""
    for name, value in headers.items():
        text = value.get_secret_value()
        if not name.replace("-", "").isalnum() or not name.isascii() or not text.isascii() or not text.isprintable():
            raise ValueError("must be ASCII on one line, with names of letters, digits and hyphens")
    return headers


def interval(value: float | None) -> float | None:
    """Return how often it is looked, if that is neither too often for the servers nor too seldom to judge anything."""
    if value is not None and not _EVERY_MIN <= value <= _EVERY_MAX:
        raise ValueError("must be from 1s to 2m, or off")
    return value


#: At least four looks while queries are remembered.
_EVERY_MIN, _EVERY_MAX = 1.0, 120.0

DurationOrOff = Annotated[float | None, BeforeValidator(seconds_or_off)]
IntervalOrOff = Annotated[float | None, BeforeValidator(seconds_or_off), AfterValidator(interval)]
PercentOrOff = Annotated[float | None, BeforeValidator(percent_or_off)]
WebhookUrl = Annotated[SecretStr, AfterValidator(webhook_url)]
Headers = Annotated[Mapping[str, SecretStr], AfterValidator(header_values)]


class WebhookSettings(Section):
    """Who is told of alerts over HTTP; left out: nobody, and logs and metrics tell of them. See
    [monitoring](monitoring.md#alerts)."""

    url: Annotated[WebhookUrl | None, BLANK_IS_NONE] = None
    """Where a JSON document is posted to when alerts fire and when they resolve."""
    headers: Headers = Field(default_factory=dict)
    """Headers of the request, all of them secrets: `{Authorization: "Bearer ${HOOK_TOKEN}"}`."""
    request_timeout: Duration = 10.0
    """How long a request may take; one that fails is tried again for some minutes."""


class AlertSettings(Section):
    """What `syncer run` tells people of, each thing with its threshold; `off`: never. See
    [monitoring](monitoring.md#alerts)."""

    every: IntervalOrOff = 15.0
    """How often it is looked, from `1s` to `2m`; `off`: no alert at all."""
    red: bool = True
    """Tell when the cluster has been red for 20 seconds."""
    yellow: DurationOrOff = 900.0
    """Tell when the cluster has not been green for so long."""
    disk: PercentOrOff = 85.0
    """Tell when a node uses more of its disk, in percent."""
    heap: PercentOrOff = 90.0
    """Tell when a node has used more of its heap for 15 minutes, in percent."""
    rejections: bool = True
    """Tell when nodes refuse searches or writes, for their queues are full."""
    query_p99: DurationOrOff = 1.0
    """Tell when one of a hundred queries takes longer. Each look sends a few to each index that is followed."""
    lag: DurationOrOff = 300.0
    """Tell when a pipeline is further behind its source."""
    stopped: DurationOrOff = 60.0
    """Tell when nobody has followed a pipeline for so long, and at once when it has ended with an error."""
    trouble: DurationOrOff = 30.0
    """Tell when `syncer status` has named a problem for so long: a server that does not answer, documents that are put
    off."""
    dead_letters: bool = True
    """Tell of rows that cannot be indexed."""
    differences: bool = True
    """Tell when a verification has found what it did not mend."""
    webhook: WebhookSettings = WebhookSettings()

    def thresholds(self) -> Thresholds:
        """Return what the rules keep to."""
        return Thresholds(
            red=self.red,
            yellow_seconds=self.yellow,
            disk_percent=self.disk,
            heap_percent=self.heap,
            rejections=self.rejections,
            query_p99_seconds=self.query_p99,
            lag_seconds=self.lag,
            stopped_seconds=self.stopped,
            trouble_seconds=self.trouble,
            dead_letters=self.dead_letters,
            differences=self.differences,
        )
