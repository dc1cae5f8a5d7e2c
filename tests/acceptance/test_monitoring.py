"""A daemon that tells Prometheus and those who keep it running."""

from __future__ import annotations

import time

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.installation import Installation, Running, eventually


def address(process: Running) -> str:
    process.wait_for("monitoring")
    return next(str(event["url"]) for event in process.events() if event["event"] == "monitoring")


def value(client: httpx2.Client, name: str, **labels: str) -> float | None:
    """Return what is exported of a metric now."""
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return None


def test_a_daemon_tells_what_it_does(installation: Installation) -> None:
    """Counted as it delivers, and looked at; it is ready once it follows, and ends in time."""
    installation.sql("INSERT INTO public.item (id, title) VALUES (1, 'one'), (2, 'two')")
    with installation.running("run", "--listen", "127.0.0.1:0") as process:
        with httpx2.Client(base_url=address(process), timeout=30) as client:
            process.wait_for("loaded")
            eventually(lambda: client.get("/readyz").status_code == 200, "ready")
            parts = client.get("/readyz").json()["parts"]
            assert {name.rpartition(".")[2] for name in parts} == {"state", "source", "elasticsearch", "lease", "lag"}
            assert client.get("/healthz").json() == {"status": "ok"}
            eventually(lambda: (value(client, "syncer_index_documents") or 0) == 2, "documents")
            applied = value(client, "syncer_documents_total", outcome="applied") or 0
            assert applied >= 2
            assert value(client, "syncer_leader") == 1
            installation.sql("INSERT INTO public.item (id, title) VALUES (3, 'three')")
            eventually(
                lambda: (value(client, "syncer_documents_total", outcome="applied") or 0) > applied, "a row counted"
            )
            assert (value(client, "syncer_step_duration_seconds_count", step="poll") or 0) > 0
            assert value(client, "syncer_pipeline_state", state="following") == 1
            assert (value(client, "syncer_lag_seconds") or 0) < 60
        sent = time.monotonic()
        assert process.terminate() == 0, process.log.read_text()
        assert time.monotonic() - sent < 5
        assert "Traceback" not in process.log.read_text()


def test_a_standby_is_ready_and_follows_nothing(installation: Installation) -> None:
    """Kubernetes may then replace the holder."""
    with installation.running("run") as holder:
        holder.wait_for("loaded")
        with (
            installation.running("run", "--listen", "127.0.0.1:0") as standby,
            httpx2.Client(base_url=address(standby), timeout=30) as client,
        ):
            standby.wait_for("standing by")
            eventually(lambda: client.get("/readyz").status_code == 200, "ready")
            assert value(client, "syncer_leader") == 0
            assert value(client, "syncer_pipeline_state", state="following") == 1


def test_an_address_that_is_taken_is_told(installation: Installation) -> None:
    """Before anything is followed."""
    with installation.running("run", "--listen", "127.0.0.1:0") as process:
        taken = address(process).removeprefix("http://")
        ended = installation.run("run", "--listen", taken)
    assert ended.returncode == 2
    assert f"cannot listen on {taken}" in ended.stderr
    assert "Traceback" not in ended.stderr
