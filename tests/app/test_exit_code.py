"""Exit codes, relied on by scripts."""

from __future__ import annotations

import pytest

from syncer.app.exit_code import ExitCode, exit_code, worst
from syncer.core.error import (
    AccessDenied,
    ConfigurationError,
    CredentialsRefused,
    LeaseHeld,
    LeaseLost,
    SinkUnavailable,
    SourceUnavailable,
    SyncerError,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError, 2),
        (CredentialsRefused, 3),
        (SourceUnavailable, 3),
        (SinkUnavailable, 3),
        (AccessDenied, 4),
        (LeaseHeld, 5),
        (LeaseLost, 5),
    ],
)
def test_an_error_has_the_code_of_its_group(error: type[SyncerError], code: int) -> None:
    """As the design lists them."""
    assert exit_code(error("x")) == code


def test_a_bug_is_fatal() -> None:
    """And never 1, which says that it is done."""
    assert exit_code(KeyError("x")) == 4


def test_of_several_the_gravest_counts() -> None:
    """A pipeline held elsewhere is less than one that cannot go on."""
    assert worst([]) == ExitCode.DONE
    assert worst([ExitCode.DONE, ExitCode.REMAINDER]) == ExitCode.REMAINDER
    assert worst([ExitCode.LEASE_HELD, ExitCode.FATAL, ExitCode.CONFIGURATION]) == ExitCode.FATAL
