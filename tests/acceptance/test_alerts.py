"""A daemon that tells people."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from syncer.app.exit_code import ExitCode
from tests.acceptance.installation import Installation, Running, eventually
from tests.conftest import Elastic
from tests.services.receiver import Receiver


def alarmed(installation: Installation, **alerts: Any) -> None:
    """Configure a pipeline with a row that cannot be indexed, and alerts."""
    installation.sql("INSERT INTO public.item (id, title) VALUES (1, 'seven'), (2, '8')")
    fields = {"id": "long", "title": "integer", "updated_at": "date"}
    installation.configure(fields=fields, index={"replicas": 0})
    file = installation.directory / "syncer.yaml"
    file.write_text(file.read_text() + yaml.safe_dump({"alerts": {"every": "1s", "disk": False, **alerts}}))


def fired(process: Running) -> list[str]:
    return [str(event["alert"]) for event in process.events() if event["event"] == "alert firing"]


@pytest.mark.parametrize("listen", [[], ["--listen", "127.0.0.1:0"]])
def test_two_daemons_and_a_restart_tell_an_alert_once(installation: Installation, listen: list[str]) -> None:
    """In the log and to a webhook, which fails twice; the secrets of the webhook are in no log."""
    receiver = Receiver(500, 503)
    with receiver.running() as url:
        alarmed(installation, webhook={"url": url, "headers": {"X-Token": "token-of-the-webhook"}})
        with installation.running("run", *listen) as first, installation.running("run", *listen) as second:
            posts = [receiver.got.get(timeout=60) for _ in range(3)]
            headers, posted = posts[-1]
            assert headers["X-Token"] == "token-of-the-webhook"
            (alert,) = posted["alerts"]
            assert alert["labels"] == {
                "alertname": "SyncerDeadLetters",
                "severity": "warning",
                "pipeline": installation.alias,
            }
            assert first.terminate() == 0
            assert second.terminate() == 0
        with installation.running("run", *listen) as third:
            third.wait_for("attached")
            # It judges, and finds that nobody needs to be told.
            judged = (
                "SELECT 1 FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'syncer alerts' AND query LIKE %s"
            )
            eventually(lambda: installation.sql(judged, "%fired_at IS NOT NULL%"), "a look")
            assert third.terminate() == 0
        assert sorted(fired(first) + fired(second) + fired(third)) == ["SyncerDeadLetters"]
        assert receiver.got.empty()
    for process in (first, second, third):
        text = process.log.read_text()
        assert "token-of-the-webhook" not in text
        assert "secret-path-of-a-hook" not in text
        assert "Traceback" not in text


def test_a_pipeline_that_ends_with_an_error_is_told_before_the_daemon_ends_with_it(installation: Installation) -> None:
    """At once, and to the end: nobody looks afterwards."""
    receiver = Receiver()
    with receiver.running() as url:
        alarmed(installation, dead_letters=False, webhook={"url": url})
        with installation.running("run") as process:
            process.wait_for("loaded")
            (index,) = installation.client.indices.get_alias(name=installation.alias)
            installation.client.indices.delete(index=index)
            installation.sql("INSERT INTO public.item (id, title) VALUES (3, '9')")
            assert process.process.wait(60) == ExitCode.FATAL
        (alert,) = receiver.got.get(timeout=1)[1]["alerts"]
    assert (alert["labels"]["alertname"], alert["labels"]["pipeline"]) == ("SyncerStopped", installation.alias)
    assert alert["annotations"]["summary"].endswith("has ended with an error: IndexMissing")


def test_a_red_cluster_is_told_by_a_daemon(installation: Installation, real_elastic: Elastic) -> None:
    """Whatever index it is that makes it red."""
    alarmed(installation, dead_letters=False)
    nowhere = {"number_of_replicas": 0, "index.routing.allocation.require.colour": "no node has it"}
    with installation.running("run") as process:
        process.wait_for("loaded")
        name = f"{installation.alias}-red"
        real_elastic.client.indices.create(index=name, settings=nowhere, wait_for_active_shards=0)
        eventually(lambda: "SyncerClusterRed" in fired(process), "the alert")
        told = next(event for event in process.events() if event["event"] == "alert firing")
        assert (told["severity"], told["level"]) == ("critical", "error")
        assert process.terminate() == 0
