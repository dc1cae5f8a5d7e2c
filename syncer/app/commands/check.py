"""`syncer check`: compare the configuration with what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from syncer.app.check.check import check as look
from syncer.app.check.finding import Finding, Severity
from syncer.app.check.statement import statements
from syncer.app.exit_code import ExitCode, worst
from syncer.app.invocation import Invocation

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "green"}


def check(invocation: Invocation, requested: Sequence[str], *, show_sql: bool) -> ExitCode:
    """Print the findings; what they are all together is the exit code."""
    with invocation.application() as (application, _):
        names = application.names(requested)
        findings = look(application, names)
        sql = statements(application, names) if show_sql else {}
    ok = all(finding.severity is Severity.INFO for finding in findings)
    document: dict[str, Any] = {"ok": ok, "findings": [finding.document() for finding in findings]}
    if show_sql:
        document["statements"] = sql
    invocation.show(document, lambda: _report(findings, sql, show_sql))
    return ExitCode.DONE if ok else worst(finding.exit_code for finding in findings)


def _report(findings: Sequence[Finding], statements: Mapping[str, Mapping[str, str]], show_sql: bool) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        table.add_row(Text(finding.severity.value, _COLOURS[finding.severity]), _words(finding))
    remedies = [finding.sql for finding in findings if finding.sql]
    if not show_sql:
        return Group(table, Text("\nSQL for what SQL can mend: --show-sql")) if remedies else table
    read = [f"-- {name}: {what}\n{sql};" for name, of in statements.items() for what, sql in of.items()]
    return Group(table, *(Text(f"\n{sql}", no_wrap=True, overflow="ignore") for sql in (*remedies, *read)))


def _words(finding: Finding) -> Text:
    text = Text(f"{finding.setting}: {finding.what}")
    if finding.consequence:
        text.append(f"\n  {finding.consequence}")
    if finding.remedy:
        text.append(f"\n  → {finding.remedy}")
    return text
