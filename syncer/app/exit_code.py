"""What the process says by its exit code."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from syncer.core.error import ConfigurationError, CredentialsRefused, FatalError, LeaseError, TransientError


class ExitCode(IntEnum):
    """Relied on by scripts."""

    DONE = 0
    #: Done, but differences, rejections or findings remain.
    REMAINDER = 1
    #: The configuration or the command line; a missing table, column or model too.
    CONFIGURATION = 2
    #: Source, state or Elasticsearch.
    UNREACHABLE = 3
    #: A pipeline cannot go on until somebody acts, or syncer has a bug.
    FATAL = 4
    #: Another process holds the pipeline.
    LEASE_HELD = 5


#: From harmless to grave: what to report of several.
_GRAVITY = (
    ExitCode.DONE,
    ExitCode.REMAINDER,
    ExitCode.LEASE_HELD,
    ExitCode.UNREACHABLE,
    ExitCode.CONFIGURATION,
    ExitCode.FATAL,
)


def exit_code(error: BaseException) -> ExitCode:
    """Return the code for an error that ended a command."""
    match error:
        case CredentialsRefused() | TransientError():
            return ExitCode.UNREACHABLE
        case ConfigurationError():
            return ExitCode.CONFIGURATION
        case LeaseError():
            return ExitCode.LEASE_HELD
        case FatalError():
            return ExitCode.FATAL
        case _:
            return ExitCode.FATAL


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the gravest of the codes; DONE where there are none."""
    return max(codes, key=_GRAVITY.index, default=ExitCode.DONE)
