"""Structured logs: one event a line, for people on a terminal and as JSON for everybody else; never a secret."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Mapping
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from syncer.app.printable import printable_lines
from syncer.app.redaction import Redact

LINE_BYTES_MAX = 8192
#: A line that is too long has its values cut to the first of these lengths that makes it fit.
_VALUE_LENGTHS = (4000, 1000, 200, 40)
_REDACTED_CHARACTERS_MAX = 2 * LINE_BYTES_MAX

#: Libraries that warn of each attempt and of each broken connection, which syncer tells in its own words.
_SILENT = ("elastic_transport", "psycopg")
#: Libraries that say too much: a statement with its parameters holds rows, a request one line each.
_QUIET = (
    "elasticsearch",
    "sqlalchemy",
    "alembic",
    "apscheduler",
    "sentence_transformers",
    "transformers",
    "httpx",
)


def configure(level: str, *, json: bool, stream: TextIO, redact: Redact) -> None:
    """Send the logs of syncer and of all libraries to a stream; the last call counts."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _Redaction(redact),
            _Bounded(_as_json if json else _for_people(stream)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Forward()], level=max(number, logging.INFO), force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.captureWarnings(True)


def thread_ended(ended: threading.ExceptHookArgs) -> None:
    """Log what has ended a thread: Python's own words would show secrets."""
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        name = ended.thread.name if ended.thread else "unknown"
        structlog.get_logger().error("a thread has ended", thread=name, exc_info=ended.exc_value)


class _Stderr:
    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


#: Standard error as it is at the time of writing: a progress bar replaces it, to print lines above itself.
STDERR = cast("TextIO", _Stderr())


class _Redaction:
    """Makes every value one that can be printed, with secrets masked."""

    def __init__(self, redact: Redact) -> None:
        self._redact = redact

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {name: self._clean(value) for name, value in event.items()}

    def _clean(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {str(name): self._clean(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(inner) for inner in value]
        text = str(value)
        # What is further behind is cut off in any case, and may be a whole row.
        return self._redact(text[:_REDACTED_CHARACTERS_MAX]) + " " * (len(text) - _REDACTED_CHARACTERS_MAX)


class _Bounded:
    """Cuts the values of a line that would be too long."""

    def __init__(self, render: Processor) -> None:
        self._render = render

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        line = str(self._render(logger, method, dict(event)))
        for length in _VALUE_LENGTHS:
            if len(line.encode(errors="replace")) <= LINE_BYTES_MAX:
                return line
            line = str(self._render(logger, method, {name: _cut(value, length) for name, value in event.items()}))
        return line


def _cut(value: Any, length: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    first = {name: event.pop(name, None) for name in ("timestamp", "level", "event")}
    return json.dumps(first | dict(event), ensure_ascii=False)


def _for_people(stream: TextIO) -> Processor:
    render = structlog.dev.ConsoleRenderer(
        colors=stream.isatty(),
        pad_event_to=24,
        pad_level=False,
        exception_formatter=structlog.dev.plain_traceback,
    )

    def shown(logger: WrappedLogger, method: str, event: EventDict) -> str:
        # Words of servers, which quote keys: a terminal is to show them.
        safe = {name: printable_lines(value) if isinstance(value, str) else value for name, value in event.items()}
        return str(render(logger, method, safe))

    return shown


class _Forward(logging.Handler):
    """Hands the records of libraries to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        # structlog knows the five levels alone.
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
        said = " ".join(record.getMessage().split())
        structlog.get_logger(library=record.name).log(level, said, exc_info=record.exc_info)
