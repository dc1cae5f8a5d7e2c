"""The dashboard and the alert rules that are made for the metrics."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from syncer.app.cli import execute
from syncer.app.invocation import Invocation
from syncer.app.metrics.dashboard import PANELS
from syncer.app.metrics.definition import DEFINITIONS
from syncer.app.metrics.rule import RULES

_SERIES = {name: definition for definition in DEFINITIONS for name in definition.series}
_QUERIES = [
    *((panel.title, query) for panel in PANELS for query in panel.queries.values()),
    *((rule.name, rule.query) for rule in RULES),
]


@pytest.mark.parametrize(("where", "query"), _QUERIES, ids=[f"{where} {n}" for n, (where, _) in enumerate(_QUERIES)])
def test_queries_name_what_is_exported(where: str, query: str) -> None:
    """With the labels that it has."""
    names = re.findall(r"syncer_\w+", query)
    assert names, where
    assert set(names) <= _SERIES.keys()
    known = {label for name in names for label in _SERIES[name].labels} | {"le", "instance", "job"}
    grouped = {label for found in re.findall(r"by \(([^)]*)\)", query) for label in re.split(r",\s*", found)}
    matched = set(re.findall(r"[{,]\s*(\w+)\s*=", query))
    assert grouped | matched <= known


def test_what_a_panel_and_a_rule_say_names_labels_that_they_have() -> None:
    """A label that a query has summed away is shown as nothing."""
    for panel in PANELS:
        for legend, query in panel.queries.items():
            kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", query)))) or {"instance"}
            assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= kept
    for rule in RULES:
        kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", rule.query))))
        assert set(re.findall(r"\$labels\.(\w+)", f"{rule.summary} {rule.remedy}")) <= kept


def test_every_metric_has_a_place() -> None:
    """In a chart or in a rule, but for details that somebody looks up by name."""
    shown = {name for _, query in _QUERIES for name in re.findall(r"syncer_\w+", query)}
    hidden = {each.name for each in DEFINITIONS if shown.isdisjoint(each.series)}
    assert hidden == {
        "syncer_rows_read_total",
        "syncer_window_entries",
        "syncer_leader",
        "syncer_lease_info",
        "syncer_problems",
        "syncer_dead_letters_retried",
        "syncer_unreachable_rows",
        "syncer_fan_outs",
        "syncer_load_rows",
        "syncer_load_settled_rows",
        "syncer_rebuild_phase",
        "syncer_verify_needed",
        "syncer_job_started_timestamp_seconds",
        "syncer_node_shards",
    }


def test_the_dashboard_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Panels do not overlap, and each has an id of its own."""
    assert execute(["metrics", "dashboard"], Invocation({})) == 0
    panels = json.loads(capsys.readouterr().out)["panels"]
    assert len({panel["id"] for panel in panels}) == len(PANELS)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(PANELS)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


def test_rules_are_printed_as_yaml(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """As promtool takes them, where there is one."""
    assert execute(["metrics", "rules"], Invocation({})) == 0
    printed = capsys.readouterr().out
    (group,) = yaml.safe_load(printed)["groups"]
    assert [rule["alert"] for rule in group["rules"]] == [rule.name for rule in RULES]
    if promtool := shutil.which("promtool"):
        (tmp_path / "rules.yaml").write_text(printed)
        subprocess.run([promtool, "check", "rules", str(tmp_path / "rules.yaml")], check=True)


def test_the_documentation_has_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    """As the command prints it."""
    assert execute(["metrics"], Invocation({})) == 0
    assert capsys.readouterr().out in (Path(__file__).parents[3] / "docs" / "monitoring.md").read_text()
