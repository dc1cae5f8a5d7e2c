"""`syncer pause` and `syncer resume`."""

from __future__ import annotations

import pytest

from tests.app.deployment import Deployment


@pytest.fixture
def migrated(deployment: Deployment) -> Deployment:
    assert deployment.run("migrate")[0] == 0
    return deployment


def test_a_pause_is_told_until_it_is_ended(migrated: Deployment) -> None:
    """Both may be repeated, and of a repeated pause the first one counts."""
    code, first = migrated.json("pause", "articles")
    assert code == 0
    assert migrated.json("pause", "articles") == (0, first)
    [status] = migrated.json("status")[1]["pipelines"]
    assert (status["state"], status["paused_since"]) == ("paused", first["pipelines"][0]["paused_since"])
    _, out, _ = migrated.run("status")
    assert "syncer resume articles" in out
    assert migrated.json("resume", "articles") == (0, {"pipelines": [{"name": "articles", "was_paused": True}]})
    assert migrated.json("resume", "articles") == (0, {"pipelines": [{"name": "articles", "was_paused": False}]})
    [status] = migrated.json("status")[1]["pipelines"]
    assert (status["state"], status["paused_since"]) == ("new", None)


def test_a_paused_pipeline_is_not_followed(migrated: Deployment) -> None:
    """It goes on where it was."""
    assert migrated.run("run", "--once")[0] == 0
    assert migrated.run("pause", "articles")[0] == 0
    code, _, err = migrated.run("run", "--once")
    assert code != 0
    assert "syncer resume articles" in err
    assert migrated.run("resume", "articles")[0] == 0
    assert migrated.run("run", "--once")[0] == 0


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_pipelines_are_named(command: str, migrated: Deployment) -> None:
    """None is paused because an argument was forgotten, and an unknown one is told."""
    assert migrated.run(command)[0] == 2
    code, _, err = migrated.run(command, "nonsense")
    assert code == 2
    assert "there is no pipeline 'nonsense'" in err
