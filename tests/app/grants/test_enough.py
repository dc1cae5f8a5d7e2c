"""What is printed is enough for everything."""

from __future__ import annotations

from contextlib import closing

from syncer.adapters.memory.clock import MemoryClock
from syncer.app.pipeline_report import Reporter
from syncer.app.redaction import redactor
from syncer.app.settings import Settings
from syncer.app.wiring import Application
from tests.app.deployment import Deployment
from tests.app.grants.granted import Granted


def test_every_command_works_with_what_is_printed(databases: Granted, running: Deployment) -> None:
    """Of the daemon's role; the only rows that remain are those that Elasticsearch refuses."""
    for expected, arguments in [
        (0, "check"),
        (1, "run --once"),
        (0, "status"),
        (0, "pause articles"),
        (0, "resume articles"),
        (1, "backfill articles --restart"),
        (0, "resync articles --ids 1,2"),
        (0, "resync articles --where id=2"),
        (1, "verify articles"),
        (1, "verify articles --repair"),
        (0, "dead-letters list articles"),
        (0, "dead-letters show articles 3"),
        (1, "dead-letters replay articles"),
        (1, "rebuild articles --no-swap"),
        (0, "rebuild articles --abandon"),
        (0, "dead-letters discard articles --all"),
        (0, "indices"),
        (0, "schedule"),
        (0, "history"),
        (0, "search articles apple"),
        (0, "grants"),
        (0, "install-triggers articles --print"),
    ]:
        code, out, err = running.run(*arguments.split())
        assert code == expected, (arguments, code, out, err)
        assert "permission denied" not in out + err, arguments
    # Without the row that is refused an index takes the live one's place, and gives it back.
    databases.sql("DELETE FROM shop.articles WHERE id = 3")
    for arguments in ("rebuild articles", "rollback articles", "promote articles", "verify articles --deep"):
        code, out, err = running.run(*arguments.split())
        assert code == 0, (arguments, code, out, err)
    databases.sql("INSERT INTO shop.articles VALUES (3, 'plum', 'dear', 1)")
    assert running.run("run", "--once")[0] == 1


def test_what_only_shows_needs_no_right_to_change(databases: Granted, running: Deployment) -> None:
    """Searches, and everything on the status page, as the reader."""
    databases.configure(running, databases.reader)
    for arguments in (
        "search articles apple",
        "status",
        "indices",
        "schedule",
        "history",
        "dead-letters list articles",
    ):
        code, out, err = running.run(*arguments.split())
        assert (code, "denied" in out + err) == (0, False), (arguments, out, err)
    for problem in _told_on_the_page(running):
        assert "denied" not in problem
    code, _, err = running.run("pause", "articles")
    assert (code, "permission denied for table pauses" in err) == (4, True), err


def _told_on_the_page(running: Deployment) -> list[str]:
    settings = Settings.load(running.folder / "syncer.yaml", {})
    clock = MemoryClock()
    application = Application(settings, clock)
    try:
        with closing(Reporter(lambda _: application, clock, ["articles"], redactor(()), letters=True)) as reporter:
            found = reporter()["articles"]
    finally:
        application.close()
    return [*(problem.said for problem in found.status.problems), *found.notes]
