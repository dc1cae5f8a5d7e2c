"""What `syncer serve` adds to Elasticsearch's own time, what a hybrid search costs, and fifty clients at once.

Each search is asked of the API, and the requests that it makes of Elasticsearch are sent to it as they are, in turn.
Queries have been embedded before: a model's time is measured elsewhere, and is the same for whoever embeds.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from operator import attrgetter
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import numpy as np
import orjson
import pytest
import yaml

from syncer.adapters.clock import SystemClock
from syncer.adapters.elastic.search.conversation import Call
from syncer.adapters.elastic.search.cursor import Cursors
from syncer.adapters.elastic.search.searches import Searches
from syncer.adapters.elastic.sink import ElasticSink
from syncer.app.demo.library_docs import library_entries
from syncer.app.settings import Settings
from syncer.app.wiring import Application
from syncer.core.change import Document, Draft
from syncer.core.index import write_alias
from syncer.core.outcome import Applied
from syncer.core.search.request import Mode, Request
from tests.acceptance.installation import Installation
from tests.benchmarks.measure import FIELDS, MINILM, SCHEMA
from tests.conftest import Elastic

pytestmark = pytest.mark.benchmark

DOCUMENTS = int(os.environ.get("SYNCER_BENCH_SEARCH_DOCUMENTS", "100000"))
QUERIES = 100
#: Words of a query: the first ones of a documentation.
WORDS = 5
#: In turn, so that what else the machine does falls on all of them.
TURNS = 5
CLIENTS = 50
#: Of all clients together.
REQUESTS = 2000
BATCH = 1000
DIMENSIONS = 384


@dataclass(frozen=True, slots=True)
class Asked:
    """One search."""

    #: As it is asked of the API.
    path: str
    #: What syncer asks Elasticsearch for it, one after the other.
    bodies: Sequence[bytes]


Searched = Mapping[Mode, Sequence[Asked]]
#: Method, path, body.
Sent = tuple[str, str, bytes | None]


@pytest.fixture(name="url")
def _url(installation: Installation) -> Iterator[str]:
    """Of a `syncer serve` on an index with random vectors, which is as a load leaves it."""
    _configure(installation)
    installation.succeed("run", "--once")
    seconds = _fill(installation)
    store = installation.client.indices.stats(index=installation.alias)["_all"]["primaries"]["store"]
    size = store["size_in_bytes"] / 2**20
    print(f"\n{DOCUMENTS:,} documents with {DIMENSIONS} dimensions, {size:,.0f} MiB; made in {seconds:.0f} s")
    with installation.running("serve", installation.alias, "--listen", "127.0.0.1:0") as server:
        server.wait_for("serving")
        yield next(event["url"] for event in server.events() if event["event"] == "serving")


def test_searches(installation: Installation, real_elastic: Elastic, url: str, machine: str) -> None:
    """The answers of the API hold what Elasticsearch's own do, and no client is refused."""
    searched = _searched(installation)
    with _asking(url) as api, _asking(real_elastic.url) as raw:
        for asked in searched.values():
            # Embeds the texts, and has all caches filled.
            for one in asked:
                assert _ids(api.get(one.path)) == _ids_of_raw(raw, one)
        times = _in_turn(searched, api, raw)
    for mode, (by_api, by_elasticsearch) in times.items():
        added = statistics.median(a - b for a, b in zip(by_api, by_elasticsearch, strict=True))
        print(
            f"{mode:8} API {_percentiles(by_api)}; Elasticsearch alone {_percentiles(by_elasticsearch)}; "
            f"added, median {added * 1000:.1f} ms"
        )
    for place, name in enumerate(("API", "Elasticsearch alone")):
        medians = {mode: statistics.median(both[place]) for mode, both in times.items()}
        slower = max(medians[Mode.KEYWORD], medians[Mode.VECTOR])
        print(f"hybrid beside the slower of its halves, {name}: {medians[Mode.HYBRID] / slower:.2f}")
    for mode, asked in searched.items():
        asking: list[list[Sent]] = [[("GET", one.path, None)] for one in asked]
        by_api, api_rate = asyncio.run(_crowd(url, asking))
        asking = [[("POST", "/_msearch", body) for body in one.bodies] for one in asked]
        by_elasticsearch, rate = asyncio.run(_crowd(real_elastic.url, asking))
        print(f"{mode:8} {CLIENTS} clients, {REQUESTS:,} searches:")
        print(f"    API                 {_percentiles(by_api)}, {api_rate:,.0f} searches/s, no error")
        print(f"    Elasticsearch alone {_percentiles(by_elasticsearch)}, {rate:,.0f} searches/s")
    print(f"({machine})")


def _configure(installation: Installation) -> None:
    installation.sql(SCHEMA)
    installation.configure("public.page", fields=FIELDS, index={"replicas": 0}, embedding={"text": "{title}\n\n{body}"})
    path = installation.directory / "syncer.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "embedding": {"model": MINILM}}))


def _fill(installation: Installation) -> float:
    """Write the documentation of Python, under as many titles as it takes, with random vectors; return seconds."""
    began, entries, random = time.monotonic(), library_entries(), np.random.default_rng(0)
    client = installation.client.options(request_timeout=600)
    (index,) = client.indices.get_alias(name=installation.alias)
    sink = ElasticSink(client, write_alias(index))
    for first in range(0, DOCUMENTS, BATCH):
        vectors = random.standard_normal((BATCH, DIMENSIONS)).astype("<f4")
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        batch = []
        for number, vector in enumerate(vectors[: DOCUMENTS - first], start=first):
            entry = entries[number % len(entries)]
            page = {"id": number, "title": f"{entry.name} {number // len(entries)}", "body": entry.doc}
            document = json.dumps({**page, "updated_at": "2026-01-01T00:00:00Z"})
            batch.append(Document(Draft((str(number),), document, 0, {}), {"embedding": vector.tobytes()}, 1))
        assert set(map(type, sink.write(batch))) == {Applied}
    # One segment, as a load leaves it.
    client.indices.forcemerge(index=index, max_num_segments=1)
    client.indices.refresh(index=index)
    return time.monotonic() - began


def _searched(installation: Installation) -> Searched:
    """Return the same queries in each mode."""
    entries = library_entries()
    chosen = entries[:: max(1, len(entries) // QUERIES)][:QUERIES]
    texts = [" ".join(f"{entry.name} {entry.doc}".split()[:WORDS]) for entry in chosen]
    clock = SystemClock()
    settings = Settings.load(installation.directory / "syncer.yaml", {})
    with closing(Application(settings, clock)) as application:
        searches = Searches(application.searched(installation.alias), Cursors(bytes(32), clock), embeds=True)
        embed = application.embedder.embed_query
        return {
            mode: [
                Asked(
                    "/search?" + urlencode({"q": text, "mode": mode.value}),
                    _recorded(searches, embed, installation, Request(text, mode)),
                )
                for text in texts
            ]
            for mode in (Mode.KEYWORD, Mode.VECTOR, Mode.HYBRID)
        }


def _recorded(searches: Searches, embed: Any, installation: Installation, request: Request) -> list[bytes]:
    """Return the bodies of the searches that one makes; what is asked once for each index is left out."""
    bodies: list[bytes] = []
    conversation = searches.search(request)
    try:
        step = next(conversation)
        while True:
            if isinstance(step, Call):
                if step.method == "msearch":
                    bodies.append(b"".join(orjson.dumps(line) + b"\n" for line in step.parameters["searches"]))
                step = conversation.send(attrgetter(step.method)(installation.client)(**step.parameters).body)
            else:
                step = conversation.send(embed(step.text))
    except StopIteration:
        return bodies


class Asking:
    """A connection that is kept."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.connection = HTTPConnection(str(parts.hostname), parts.port or 80, timeout=60)

    def get(self, path: str) -> bytes:
        return self._answer("GET", path, None)

    def post(self, body: bytes) -> bytes:
        return self._answer("POST", "/_msearch", body)

    def _answer(self, method: str, path: str, body: bytes | None) -> bytes:
        self.connection.request(method, path, body, {"Content-Type": "application/x-ndjson"} if body else {})
        answer = self.connection.getresponse()
        read = answer.read()
        assert answer.status == 200, read
        return read


@contextmanager
def _asking(url: str) -> Iterator[Asking]:
    asking = Asking(url)
    with closing(asking.connection):
        yield asking


def _ids(answer: bytes) -> set[str]:
    return {hit["id"] for hit in json.loads(answer)["hits"]}


def _ids_of_raw(raw: Asking, asked: Asked) -> set[str]:
    """Return what the last request of a search finds: of a hybrid one the documents of the page, in any order."""
    *_, last = (json.loads(raw.post(body)) for body in asked.bodies)
    return {hit["_id"] for hit in last["responses"][-1]["hits"]["hits"]}


def _in_turn(searched: Searched, api: Asking, raw: Asking) -> dict[Mode, tuple[list[float], list[float]]]:
    """Return seconds by mode: of the API, and of Elasticsearch alone."""
    times: dict[Mode, tuple[list[float], list[float]]] = {mode: ([], []) for mode in searched}
    for _ in range(TURNS):
        for number in range(QUERIES):
            for mode, asked in searched.items():
                one, (by_api, by_elasticsearch) = asked[number], times[mode]
                began = time.perf_counter()
                api.get(one.path)
                answered = time.perf_counter()
                for body in one.bodies:
                    raw.post(body)
                by_api.append(answered - began)
                by_elasticsearch.append(time.perf_counter() - answered)
    return times


async def _crowd(url: str, searches: Sequence[Sequence[Sent]]) -> tuple[list[float], float]:
    """Have all clients search, each one thing after the other; return the seconds of each search, and searches/s."""
    waiting, seconds = itertools.islice(itertools.cycle(searches), REQUESTS), list[float]()

    async def client(session: aiohttp.ClientSession) -> None:
        for requests in waiting:
            began = time.perf_counter()
            for method, path, body in requests:
                headers = {"Content-Type": "application/x-ndjson"} if body else {}
                async with session.request(method, url + path, data=body, headers=headers) as answer:
                    read = await answer.read()
                    assert answer.status == 200, read
            seconds.append(time.perf_counter() - began)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CLIENTS)) as session:
        began = time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(CLIENTS)))
        return seconds, REQUESTS / (time.perf_counter() - began)


def _percentiles(seconds: Sequence[float]) -> str:
    ranked = statistics.quantiles(seconds, n=100, method="inclusive")
    p50, p99 = ranked[49] * 1000, ranked[98] * 1000
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms ({p99 / p50:.1f} times)"
