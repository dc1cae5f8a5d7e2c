"""One thing that check found out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from syncer.app.exit_code import ExitCode, exit_code
from syncer.core.error import SyncerError


class Severity(StrEnum):
    """How much it matters."""

    #: syncer does not start, or loses rows.
    ERROR = "error"
    #: It works, but slower than it could, or only as long as others keep to what cannot be seen from here.
    WARNING = "warning"
    #: It works; another way is safer.
    ADVICE = "advice"
    #: As it should be.
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is there, what follows from it, and what to do."""

    severity: Severity
    #: The setting that it is about, like `pipelines.articles.watermark`.
    setting: str
    what: str
    consequence: str = ""
    remedy: str = ""
    #: The remedy as SQL, ready to run by somebody who may.
    sql: str = ""
    #: What this finding alone would end the command with.
    exit_code: ExitCode = ExitCode.REMAINDER

    def redacted(self, redact: Callable[[str], str]) -> Finding:
        """Return the finding without secrets: an error may be in the words of a server that quotes them."""
        if self.severity is not Severity.ERROR:
            return self
        return replace(self, what=redact(self.what), remedy=redact(self.remedy))

    def document(self) -> Mapping[str, str]:
        return {
            "severity": self.severity.value,
            "setting": self.setting,
            "what": self.what,
            "consequence": self.consequence,
            "remedy": self.remedy,
            "sql": self.sql,
        }


#: Most errors begin with the setting that they are about.
_NAMED = re.compile(r"((?:source|state|elasticsearch|embedding|pipelines)(?:\.[^\s:]+)?): ")


def info(setting: str, what: str) -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(Severity.INFO, setting, what, exit_code=ExitCode.DONE)


def advice(setting: str, what: str, consequence: str, remedy: str) -> Finding:
    """Return a finding that may be left as it is."""
    return Finding(Severity.ADVICE, setting, what, consequence, remedy, exit_code=ExitCode.DONE)


def found_by(setting: str, look: Callable[[], Iterable[Finding]]) -> Sequence[Finding]:
    """Return what a look finds; an error that ends it is a finding too."""
    findings: list[Finding] = []
    try:
        findings.extend(look())
    except SyncerError as error:
        code = exit_code(error)
        # Nothing is fatal to a check.
        code = code if code in {ExitCode.CONFIGURATION, ExitCode.UNREACHABLE} else ExitCode.REMAINDER
        named = _NAMED.match(error.message)
        setting, what = (named[1], error.message[named.end() :]) if named else (setting, error.message)
        findings.append(Finding(Severity.ERROR, setting, what, remedy=error.hint, exit_code=code))
    return findings
