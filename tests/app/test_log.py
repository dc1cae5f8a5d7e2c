"""Log lines."""

from __future__ import annotations

import json
import logging
import threading
import warnings
from io import StringIO
from typing import Any

import pytest
import structlog

from syncer.app.log import LINE_BYTES_MAX, configure, thread_ended
from syncer.app.redaction import redactor

pytestmark = pytest.mark.usefixtures("logs")


class Terminal(StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


def configured(*secrets: str, level: str = "info", as_json: bool = True, stream: StringIO | None = None) -> StringIO:
    stream = stream or StringIO()
    configure(level, json=as_json, stream=stream, redact=redactor(secrets))
    return stream


def lines(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_machine_gets_one_json_object_a_line() -> None:
    """With time, level and event first."""
    stream = configured()
    structlog.get_logger(pipeline="articles").info("polled", read=5, reason="a\nb", part=None)
    (line,) = lines(stream)
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert line["timestamp"].endswith("Z")
    assert line | {"timestamp": ""} == {
        "timestamp": "",
        "level": "info",
        "event": "polled",
        "pipeline": "articles",
        "read": 5,
        "reason": "a\nb",
        "part": None,
    }


def test_people_get_key_and_value_with_colours_on_a_terminal_alone() -> None:
    """Escape sequences in a file would help nobody."""
    plain = configured(as_json=False)
    structlog.get_logger().info("polled", read=5)
    assert "read=5" in plain.getvalue()
    assert "\x1b" not in plain.getvalue()
    coloured = configured(as_json=False, stream=Terminal())
    structlog.get_logger().info("polled", read=5)
    assert "\x1b" in coloured.getvalue()


@pytest.mark.parametrize("as_json", [True, False])
def test_no_field_shows_a_secret(as_json: bool) -> None:
    """However deep it is, whatever holds it."""
    stream = configured("hunter2", "hunter2and more", as_json=as_json)
    logger = structlog.get_logger(bound="hunter2")
    try:
        raise ValueError("postgresql://reader:other-secret@host/db refused hunter2")
    except ValueError as error:
        logger.exception("failed for hunter2", error=error, url="postgresql://u:third%20one@h/d?sslpassword=fourth")
    logger.info("x", nested={"a": ["hunter2", ("hunter2and more", b"hunter2")]}, header="Authorization: ApiKey fifth==")
    logging.getLogger("library").warning("password=%s and hunter2", "sixth")
    shown = stream.getvalue()
    assert "ValueError" in shown
    for secret in ("hunter2", "and more", "other-secret", "third", "fourth", "fifth", "sixth"):
        assert secret not in shown
    assert "reader:***@host" in shown


@pytest.mark.parametrize(
    "value", ["a\x1b[31mb", ["a\x1b[31mb"], {"row": "a\x1b[31mb"}, "said: a\x1b[31mb", "a\x9b31mb"]
)
def test_what_a_terminal_would_obey_is_escaped(value: Any) -> None:
    """Of what servers say of rows, too."""
    stream = configured(as_json=False)
    structlog.get_logger().info("refused", key=value)
    assert "\\x1b[31mb" in stream.getvalue() or "\\x9b31mb" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
    assert "\x9b" not in stream.getvalue()


def test_what_ends_a_thread_is_a_log_line_without_secrets() -> None:
    """Python itself would write a traceback as it is."""
    stream = configured("hunter2")
    try:
        raise ValueError("refused hunter2")
    except ValueError as error:
        thread_ended(threading.ExceptHookArgs((ValueError, error, None, threading.current_thread())))
    thread_ended(threading.ExceptHookArgs((SystemExit, SystemExit(), None, None)))
    (line,) = lines(stream)
    assert (line["event"], line["thread"]) == ("a thread has ended", "MainThread")
    assert "ValueError: refused ***" in line["exception"]


def test_a_long_line_is_cut_and_stays_readable() -> None:
    """A row with megabytes in its message cannot flood the log."""
    stream = configured()
    structlog.get_logger().info("rejected", reason="é\n" * 10**6, **{f"field_{i}": "x" * 500 for i in range(40)})
    assert len(stream.getvalue().encode()) <= LINE_BYTES_MAX + 1
    (line,) = lines(stream)
    assert line["event"] == "rejected"
    assert line["reason"].endswith("(2000000 characters)")


def test_libraries_speak_through_the_same_log_and_only_when_it_matters() -> None:
    """A statement with its parameters holds rows; a request of each batch helps nobody."""
    stream = configured(level="debug")
    logging.getLogger("sqlalchemy.engine").info("SELECT 'a row'")
    logging.getLogger("elastic_transport.transport").info("POST /_bulk")
    # Of what is tried again syncer tells in its own words.
    logging.getLogger("elastic_transport.node_pool").warning("node is dead")
    logging.getLogger("alembic.runtime").warning("two heads")
    logging.getLogger("odd").log(25, "between two levels")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", FutureWarning, stacklevel=1)
    found = [(line["level"], line["event"]) for line in lines(stream)]
    assert found[:2] == [("warning", "two heads"), ("info", "between two levels")]
    assert found[2][0] == "warning"
    assert "FutureWarning: old" in found[2][1]
    assert len(found) == 3


def test_the_level_holds_for_all() -> None:
    """What is below it is not written."""
    stream = configured(level="error")
    structlog.get_logger().warning("no")
    logging.getLogger("library").warning("no")
    structlog.get_logger().error("yes")
    assert [line["event"] for line in lines(stream)] == ["yes"]
