"""The status page, without a browser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from html import unescape
from threading import Event

import psycopg
import pytest

from syncer.adapters.clock import SystemClock
from syncer.app.pipeline_report import PipelineReport, Reporter
from syncer.app.redaction import redactor
from syncer.app.settings import Settings
from syncer.app.status import PipelineStatus
from syncer.app.status_board import Sample
from syncer.app.web.chart import HEIGHT, WIDTH, charts
from syncer.app.wiring import Application
from syncer.core.error import StateUnavailable
from tests.app.deployment import Deployment
from tests.app.web.web import browsing, headings, memory, text_of


def report(name: str = "articles", documents: int = 3, **notes: str) -> PipelineReport:
    return PipelineReport(PipelineStatus(name, "following", documents=documents), list(notes.values()))


def test_a_pipeline_is_told_as_the_commands_tell_it(deployment: Deployment) -> None:
    """Its state, figures, dead letters by cause, indices, jobs, and who holds the checkpoint."""
    deployment.configure(fields={"title": "text", "price": "integer"}, schedule={"verify": "0 3 * * *"})
    deployment.sql("INSERT INTO articles VALUES (1, 'apple', '3'), (2, 'pear', 'cheap'), (3, 'plum', '<b>')")
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("run", "--once")[0] == 1
    clock = SystemClock()
    application = Application(Settings.load(deployment.folder / "syncer.yaml", {}), clock)
    with (
        psycopg.connect(deployment.postgres_url, application_name="nightly report") as writer,
        closing(Reporter(lambda _: application, clock, ["articles"], redactor(()), letters=True)) as reporter,
        browsing(look=reporter) as client,
    ):
        writer.execute("UPDATE articles SET title = 'pomme' WHERE id = 1")
        page = client.get("/status").text
    application.close()
    text = unescape(text_of(page))
    assert "articles stopped" in text
    assert "documents 1 " in text
    assert "dead letters 2 " in text
    assert re.search(r"Dead letters rows kind cause such as last 2 \w+", text)
    assert "nightly report" in text
    assert f"{deployment.prefix}-articles-" in text
    assert "0 3 * * * UTC" in text
    assert "<b>" not in page


def test_postgres_that_is_away_is_told_and_searches_go_on() -> None:
    """What it said last stays, without a password in what went wrong."""
    away = Event()

    def look() -> Mapping[str, PipelineReport]:
        if away.is_set():
            raise StateUnavailable("no answer from postgresql://syncer:hunter22@db")
        return {"articles": report(documents=1234)}

    with browsing(look=look) as client:
        assert "1,234" in client.get("/status").text
        away.set()
        answer = client.get("/status")
        assert answer.status_code == 200
        assert "The state cannot be read now" in answer.text
        assert "hunter22" not in answer.text
        assert "1,234" in answer.text
        assert headings(client.get("/?q=late").text)
        away.clear()
        assert "cannot be read" not in client.get("/status").text


def test_a_server_that_hangs_holds_up_no_page() -> None:
    """The page is answered with what there is, and the next one with what came meanwhile."""
    let_go = Event()

    def look() -> Mapping[str, PipelineReport]:
        assert let_go.wait(60)
        return {"articles": report()}

    with browsing(look=look, patience_seconds=0.05) as client:
        assert "take long to answer" in client.get("/status").text
        assert headings(client.get("/?q=late").text)
        let_go.set()
        while "following" not in (page := client.get("/status").text):
            pass
    assert "articles" in text_of(page)


def test_a_bug_in_a_look_ends_nothing() -> None:
    """It is logged, and the next look is made."""
    looks: list[int] = []

    def look() -> Mapping[str, PipelineReport]:
        looks.append(1)
        if len(looks) == 1:
            raise KeyError("surprise")
        return {"articles": report()}

    with browsing(look=look) as client:
        while "following" not in client.get("/status").text:
            pass
    assert len(looks) > 1


def test_what_is_not_served_or_not_allowed_is_not_told() -> None:
    """Of pipelines, those that the token may search."""
    token = {"token": "notes" * 4, "pipelines": ["notes"]}
    look = {"articles": report("articles"), "notes": report("notes"), "others": report("others")}
    with browsing({"articles": memory(), "notes": memory()}, lambda: look, tokens=[token]) as client:
        client.headers["Authorization"] = f"Bearer {token['token']}"
        page = client.get("/status").text
    assert re.findall(r'<h2 id="pipeline-\d">(\w+)', page) == ["notes"]


def test_notes_are_text() -> None:
    """They quote what servers and transactions are called."""
    with browsing(look=lambda: {"articles": report(one="<script>alert(1)</script>")}) as client:
        page = client.get("/status").text
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<script") == 1


def test_without_scripts_the_page_asks_again_by_itself() -> None:
    with browsing() as client:
        assert re.search(r'<noscript><meta http-equiv="refresh" content="\d+"></noscript>', client.get("/status").text)


def samples(*figures: tuple[float, float | None, int | None, int | None]) -> list[Sample]:
    return [Sample(*each) for each in figures]


def test_charts_show_figures_over_time() -> None:
    """Lag and documents as they were, what was written as a rate; with words for who does not see them."""
    found = charts(samples((0, 4.0, 10, 100), (150, 0.0, 20, 100), (300, 2.0, 30, 400)), 300)
    lag, written, documents = found
    assert (lag.label, lag.latest, lag.most) == ("lag", "2.0 s", "4.0 s")
    assert lag.lines == ["0.0,3.0 120.0,41.0 240.0,22.0"]
    assert (written.latest, written.most) == ("2.0/s", "2.0/s")
    assert documents.lines == ["0.0,41.0 120.0,22.0 240.0,3.0"]
    assert lag.told == "lag: now 2.0 s, at most 4.0 s within 5 min"


def test_charts_have_gaps_where_nothing_is_known() -> None:
    """And no rate where counting began anew."""
    lag, written, _ = charts(
        samples((0, 1.0, 1, 50), (100, None, None, None), (200, 1.0, 1, 60), (300, 1.0, 1, 5)), 300
    )
    assert len(lag.lines) == 2
    assert written.lines == []


@pytest.mark.parametrize("count", [0, 1, 240])
def test_charts_stay_within_their_frame(count: int) -> None:
    """However many samples there are."""
    for chart in charts(samples(*((15.0 * n, n % 7, 5, n * n) for n in range(count))), 15.0 * count):
        for point in " ".join(chart.lines).split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT
