"""`syncer metrics`: what is exported, and what to make of it."""

from __future__ import annotations

import json
import sys

import yaml

from syncer.app.exit_code import ExitCode
from syncer.app.metrics.dashboard import dashboard
from syncer.app.metrics.definition import DEFINITIONS
from syncer.app.metrics.form import Form
from syncer.app.metrics.rule import rules


def metrics(form: Form) -> ExitCode:
    """Print it on standard output; nothing is asked of any server."""
    match form:
        case Form.REFERENCE:
            text = reference()
        case Form.DASHBOARD:
            text = json.dumps(dashboard(), ensure_ascii=False, indent=2) + "\n"
        case Form.RULES:
            text = yaml.safe_dump(rules(), sort_keys=False, allow_unicode=True, width=120)
    sys.stdout.write(text)
    return ExitCode.DONE


def reference() -> str:
    """Return a table of all metrics in Markdown."""
    lines = ["| metric | kind | labels | |", "|---|---|---|---|"]
    for each in DEFINITIONS:
        labels = ", ".join(f"`{label}`" for label in each.labels)
        lines.append(f"| `{each.name}` | {each.kind.value} | {labels} | {each.help} |")
    return "\n".join(lines) + "\n"
