"""A daemon that runs for long, with writers, schedules and trouble now and then, takes no more in the end."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager

import httpx2
import psycopg
import yaml

from tests.acceptance.installation import Installation, eventually
from tests.acceptance.soak import growth, most, sampled
from tests.services.proxy import Proxy, ProxyFactory

ROWS = 2000
#: Between two troubles.
CALM_SECONDS = 12.0

#: Yields how long to wait before it goes on.
Waits = Generator[float, None, None]


def test_nothing_grows(installation: Installation, proxy: ProxyFactory, soak_seconds: float) -> None:
    """Memory, file descriptors, threads, connections, state and log; and the index is equal to the table at the end."""
    installation.sql(f"INSERT INTO public.item (id, title) SELECT i, 'row ' || i FROM generate_series(1, {ROWS}) i")
    source, index = proxy(installation.source_url), proxy(str(installation.elasticsearch["hosts"][0]))
    configure(installation, source, index)
    installation.succeed("install-triggers", installation.alias)
    with installation.running("run", "--listen", "127.0.0.1:0") as process:
        process.wait_for("loaded")
        url = next(str(event["url"]) for event in process.events() if event["event"] == "monitoring")
        with (
            sampled(process, installation.source_url, 1.0) as samples,
            repeating("writer", lambda: write(installation.source_url)),
            repeating("scrapes", lambda: scrape(url)),
            repeating("trouble", lambda: trouble(source, index)),
        ):
            time.sleep(soak_seconds)
        source.restore()
        index.restore()
        eventually(lambda: equal(installation), "the index equal to the table", 120)
        assert process.terminate() == 0, process.log.read_text()[-4000:]
        assert "Traceback" not in process.log.read_text()
    jobs = {event.get("job") for event in process.events() if event["event"] == "job ended"}
    third = len(samples) // 3
    print(f"\n{len(samples)} s: middle third at most {most(samples[third : 2 * third])}")
    tenths = [samples[place * len(samples) // 10 : (place + 1) * len(samples) // 10] for place in range(10)]
    print(f"memory by tenths, at most {', '.join(f'{most(tenth).memory_mib:.0f}' for tenth in tenths)} MiB")
    print(f"last third at most {most(samples[2 * third :])}; jobs {sorted(filter(None, jobs))}")
    assert growth(samples) == {}


def configure(installation: Installation, source: Proxy, index: Proxy) -> None:
    installation.configure(
        poll={"interval": "200ms", "wakeup": "notify"},
        index={"replicas": 0},
        schedule=dict.fromkeys(("backfill", "verify", "retention", "prune"), "* * * * *"),
    )
    path = installation.directory / "syncer.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["source"]["url"] = source.url(installation.source_url)
    settings["elasticsearch"]["hosts"] = [index.url(str(installation.elasticsearch["hosts"][0]))]
    path.write_text(yaml.safe_dump(settings))


@contextmanager
def repeating(name: str, work: Callable[[], Waits]) -> Iterator[None]:
    """Do the work while the block runs."""
    ended = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with closing(work()) as waits:
                for seconds in waits:
                    if ended.wait(seconds):
                        return
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if failures:
        raise failures[0]


def write(url: str) -> Waits:
    """Insert, change and delete rows, one of each in turn: the table is as large in the end."""
    chance, next_id = random.Random(7), ROWS
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            next_id += 1
            some = chance.randint(next_id - ROWS, next_id)
            connection.execute("INSERT INTO public.item (id, title) VALUES (%s, %s)", (next_id, f"row {next_id}"))
            connection.execute("UPDATE public.item SET amount = %s WHERE id = %s", (chance.randint(0, 99), some))
            connection.execute("DELETE FROM public.item WHERE id = %s", (next_id - ROWS,))
            yield 0.05


def scrape(url: str) -> Waits:
    with httpx2.Client(base_url=url, timeout=30) as client:
        while True:
            assert client.get("/metrics").status_code == 200
            client.get("/readyz")
            yield 5.0


def trouble(source: Proxy, index: Proxy) -> Waits:
    """Reset connections, and keep a server away for a moment."""
    chance = random.Random(11)
    while True:
        yield CALM_SECONDS
        which = chance.choice((source, index))
        if chance.random() < 0.7:
            which.reset()
        else:
            which.stop()
            try:
                yield 3.0
            finally:
                which.start()


def equal(installation: Installation) -> bool:
    return installation.rows() == installation.indexed()
