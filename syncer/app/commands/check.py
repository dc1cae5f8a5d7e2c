"""`syncer check`: compare the configuration with what is there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from syncer.app.check.check import check as look
from syncer.app.check.encryption import webhook_on_the_way
from syncer.app.check.estimate import Estimate
from syncer.app.check.file import check_file
from syncer.app.check.finding import Finding, Severity, info
from syncer.app.check.index_body import index_bodies
from syncer.app.check.sampling import estimates
from syncer.app.check.statement import statements
from syncer.app.exit_code import ExitCode, worst
from syncer.app.invocation import Invocation
from syncer.app.redaction import Redact

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.ADVICE: "cyan", Severity.INFO: "green"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What is printed besides the findings, each by pipeline; None: nobody asked for it."""

    statements: Mapping[str, Mapping[str, str]] | None
    #: As Elasticsearch would be asked to create the index.
    bodies: Mapping[str, Mapping[str, Any]] | None


def check(invocation: Invocation, requested: Sequence[str], *, show_sql: bool, show_mapping: bool) -> ExitCode:
    """Print the findings; what they are all together is the exit code."""
    with invocation.application() as (application, clock):
        names = application.names(requested)
        settings = application.settings
        findings = [*check_file(invocation.config, settings), *webhook_on_the_way(settings), *look(application, names)]
        estimated = estimates(application, clock, _sound(names, findings))
        shown = Shown(
            statements(application, names) if show_sql else None,
            index_bodies(application, names) if show_mapping else None,
        )
    findings += [_estimated(name, found, invocation.redact) for name, found in estimated.items()]
    findings = [finding.redacted(invocation.redact) for finding in findings]
    ok = all(finding.severity in {Severity.INFO, Severity.ADVICE} for finding in findings)
    document: dict[str, Any] = {"ok": ok, "findings": [finding.document() for finding in findings]}
    document["estimates"] = {name: found.document() for name, found in estimated.items() if isinstance(found, Estimate)}
    if shown.statements is not None:
        document["statements"] = shown.statements
    if shown.bodies is not None:
        document["indices"] = shown.bodies
    invocation.show(document, lambda: _report(findings, shown))
    return ExitCode.DONE if ok else worst(finding.exit_code for finding in findings)


def _sound(names: Sequence[str], findings: Sequence[Finding]) -> Sequence[str]:
    """Return the pipelines of which rows can be read, and embedded."""
    errors = [finding.setting for finding in findings if finding.severity is Severity.ERROR]
    if any(setting.startswith(("source", "embedding")) for setting in errors):
        return []
    return [name for name in names if not any(f"{setting}.".startswith(f"pipelines.{name}.") for setting in errors)]


def _estimated(name: str, found: Estimate | str, redact: Redact) -> Finding:
    said = str(found) if isinstance(found, Estimate) else f"no estimate: {redact(found)}"
    return info(f"pipelines.{name}", said)


def _report(findings: Sequence[Finding], shown: Shown) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        table.add_row(Text(finding.severity.value, _COLOURS[finding.severity]), _words(finding))
    remedies = [finding.sql for finding in findings if finding.sql]
    further: list[str] = []
    if shown.statements is not None:
        read = [f"-- {name}: {what}\n{sql};" for name, of in shown.statements.items() for what, sql in of.items()]
        further += [*remedies, *read]
    elif remedies:
        further.append("SQL for what SQL can mend: --show-sql")
    for name, body in (shown.bodies or {}).items():
        further.append(f"# {name}\n{json.dumps(body, indent=2, ensure_ascii=False)}")
    return Group(table, *(Text(f"\n{each}", no_wrap=True, overflow="ignore") for each in further))


def _words(finding: Finding) -> Text:
    text = Text(f"{finding.setting}: {finding.what}")
    if finding.consequence:
        text.append(f"\n  {finding.consequence}")
    if finding.remedy:
        text.append(f"\n  → {finding.remedy}")
    return text
