"""What is printed is enough for everything."""

from __future__ import annotations

from contextlib import closing

from fastapi.testclient import TestClient

from syncer.adapters.clock import SystemClock
from syncer.adapters.memory.clock import MemoryClock
from syncer.app.commands.serve import over_http
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
        (0, "cluster --interval 0"),
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
        "cluster --interval 0",
    ):
        code, out, err = running.run(*arguments.split())
        assert (code, "denied" in out + err) == (0, False), (arguments, out, err)
    for problem in _told_on_the_page(running):
        assert "denied" not in problem
    code, _, err = running.run("pause", "articles")
    assert (code, "permission denied for table pauses" in err) == (4, True), err


def test_searches_are_served_with_what_is_printed_for_it(databases: Granted, running: Deployment) -> None:
    """By the reader: searches, documents, readiness and metrics."""
    databases.configure(running, databases.reader)
    application = Application(Settings.load(running.folder / "syncer.yaml", {}), SystemClock())
    try:
        app = over_http(application, ["articles"], SystemClock(), redactor(()))
        with TestClient(app, "http://127.0.0.1:8080") as client:
            assert [hit["id"] for hit in client.get("/search?q=apple").json()["hits"]] == ["1"]
            assert client.get("/documents/1").json()["source"]["title"] == "apple"
            assert client.get("/readyz").status_code == 200
            assert 'syncer_index_documents{pipeline="articles"}' in client.get("/metrics").text
    finally:
        application.close()


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
