"""The reference of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncer.app.reference import reference
from syncer.app.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_up_to_date() -> None:
    """Whoever changes a setting generates it again: python -m syncer.app.reference > docs/configuration.md."""
    assert PAGE.read_text(encoding="utf-8") == reference()


def test_every_setting_has_a_meaning() -> None:
    """A row whose last cell is empty explains nothing."""
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 30
    assert [row for row in rows if row.endswith("|  |")] == []


@pytest.mark.parametrize("number", [0, 1])
def test_the_examples_are_valid(number: int, tmp_path: Path) -> None:
    """They can be copied."""
    examples = reference().split("```yaml\n")[1:]
    path = tmp_path / "syncer.yaml"
    path.write_text(examples[number].split("```")[0])
    Settings.load(path, {"SYNCER_SOURCE_URL": "postgresql://h/d", "ELASTICSEARCH_API_KEY": "key"})
