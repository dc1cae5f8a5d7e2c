"""The settings of schedules."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from syncer.app.schedule_settings import Job, ScheduleSettings
from syncer.app.settings import Settings
from syncer.core.error import ConfigurationError

FILE = """
source: {url: "postgresql://h/d"}
elasticsearch: {hosts: http://localhost:9200}
pipelines:
  articles:
    table: articles
    schedule:
"""


def load(folder: Path, *lines: str) -> ScheduleSettings:
    path = folder / "syncer.yaml"
    path.write_text(FILE + indent("\n".join(lines), "      "))
    return Settings.load(path, {}).pipelines["articles"].schedule


def due(settings: ScheduleSettings) -> dict[str, str | None]:
    return {job: cron.text if cron else None for job, cron in settings.crons().items()}


def test_what_tidies_up_is_scheduled_and_nothing_else(tmp_path: Path) -> None:
    """By default, once a day."""
    settings = load(tmp_path)
    assert due(settings) == {
        "backfill": None,
        "verify": None,
        "retention": "15 4 * * * UTC",
        "prune": "45 4 * * * UTC",
    }
    assert (settings.repair, settings.jitter) == (False, 30)


def test_all_of_it_is_read(tmp_path: Path) -> None:
    """YAML reads `off` as false, and quoted as text; an empty text counts as left out."""
    settings = load(
        tmp_path,
        'backfill: " 0 3 * * * "',
        'verify: "0 5 * * 0"',
        "repair: true",
        "retention: off",
        'prune: "off"',
        "timezone: Europe/Berlin",
        "jitter: 2m",
    )
    assert due(settings) == {
        "backfill": "0 3 * * * Europe/Berlin",
        "verify": "0 5 * * 0 Europe/Berlin",
        "retention": None,
        "prune": None,
    }
    assert (settings.repair, settings.jitter) == (True, 120)
    assert due(load(tmp_path, 'retention: ""', "prune:", 'timezone: ""')) == due(load(tmp_path))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('backfill: "0 3 * *"', "line 8: pipelines.articles.schedule.backfill: must have five fields"),
        ('prune: "0 25 * * *"', "pipelines.articles.schedule.prune: its hour is none: 0 to 23"),
        ("verify: true", "pipelines.articles.schedule.verify: must be a cron expression"),
        ("verify: 5", "pipelines.articles.schedule.verify: must be a cron expression"),
        ("repair: true", "pipelines.articles.schedule.repair: is for verify"),
        ("timezone: Mars", "pipelines.articles.schedule.timezone: is not a time zone"),
        ("jitter: often", "pipelines.articles.schedule.jitter: must be a duration"),
        ('prun: "0 3 * * *"', "pipelines.articles.schedule.prun: unknown setting; did you mean prune?"),
    ],
)
def test_what_is_wrong_is_told(line: str, said: str, tmp_path: Path) -> None:
    """When the file is read, with its place."""
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, line)
    assert said in str(error.value)


def test_every_job_has_a_setting() -> None:
    """Of its name."""
    assert {job.value for job in Job} <= ScheduleSettings.model_fields.keys()
