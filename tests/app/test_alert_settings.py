"""The settings of alerts."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from syncer.app.alert_settings import AlertSettings
from syncer.core.alert_rule import Thresholds


def test_the_defaults_are_those_of_the_rules() -> None:
    """They stand in two places."""
    assert AlertSettings().thresholds() == Thresholds()


@pytest.mark.parametrize("off", [False, None, "off"])
def test_each_can_be_switched_off(off: Any) -> None:
    """YAML reads `off` as false."""
    named = ("yellow", "disk", "heap", "query_p99", "lag", "stopped", "trouble")
    settings = AlertSettings.model_validate({"every": off, **dict.fromkeys(named, off)})
    of = settings.thresholds()
    assert settings.every is None
    assert {of.yellow_seconds, of.disk_percent, of.heap_percent, of.query_p99_seconds} == {None}
    assert {of.lag_seconds, of.stopped_seconds, of.trouble_seconds} == {None}
    assert not AlertSettings.model_validate({"red": False}).thresholds().red


def test_values_may_have_units() -> None:
    """As people write them."""
    of = AlertSettings.model_validate({"disk": "80%", "heap": 95, "query_p99": "300ms"}).thresholds()
    assert (of.disk_percent, of.heap_percent, of.query_p99_seconds) == (80.0, 95.0, 0.3)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"disk": "full"}, "percentage"),
        ({"disk": 100}, "percentage"),
        ({"heap": True}, "percentage"),
        ({"lag": "soon"}, "duration"),
        ({"lag": True}, "duration"),
        ({"every": "0s"}, "from 1s to 2m"),
        ({"every": "1h"}, "from 1s to 2m"),
        ({"webhook": {"url": "hooks.example.com"}}, "must be a URL"),
        ({"webhook": {"headers": {"X-Token": "one\ntwo"}}}, "ASCII"),
        ({"webhook": {"headers": {"X Token": "one"}}}, "ASCII"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any], said: str) -> None:
    """With what would be right; secrets are not quoted."""
    with pytest.raises(ValidationError, match=said):
        AlertSettings.model_validate(wrong)


def test_the_webhook_is_a_secret() -> None:
    """Its address lets in, and so do its headers."""
    settings = AlertSettings.model_validate({"webhook": {"url": "https://h/abcd", "headers": {"X-Token": "efgh"}}})
    assert "abcd" not in repr(settings)
    assert "efgh" not in repr(settings)
