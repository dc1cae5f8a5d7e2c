"""What each privilege is for: the uses that miss it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from syncer.adapters.postgres.alerts import PostgresAlerts
from syncer.adapters.postgres.history import PostgresHistory
from syncer.adapters.postgres.state import PostgresStateStore
from syncer.adapters.postgres.vector_cache import PostgresVectorCache
from syncer.core.alert import Alert, Kept, Settled, Severity
from syncer.core.error import AccessDenied
from syncer.core.fan_out import FanOut
from syncer.core.settlement import Settlement
from tests.app.deployment import Deployment
from tests.app.grants.granted import Granted, url_as

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

Use = Callable[[Granted, Deployment], None]


def command(*arguments: str, first: str = "") -> Use:
    """Return a use that runs a command. first: SQL that is run before, on the source, as the administrator."""

    def use(granted: Granted, deployment: Deployment) -> None:
        if first:
            granted.sql(first)
        code, out, err = deployment.run(*arguments)
        if code:
            raise AccessDenied(out + err, hint=out + err)

    return use


def settle(*settlements: Settlement) -> Use:
    """Return a use that commits settlements."""

    def use(granted: Granted, _: Deployment) -> None:
        store = PostgresStateStore(url_as(granted.state, granted.runner), "syncer")
        try:
            record = store.index("articles")
            assert record is not None
            lease = store.acquire(record.name)
            try:
                for settlement in settlements:
                    lease.commit(settlement)
            finally:
                lease.release()
        finally:
            store.close()

    return use


def cached(granted: Granted, _: Deployment) -> None:
    """Keep a vector, want it again, and delete it."""
    cache = PostgresVectorCache(url_as(granted.state, granted.runner), "syncer")
    try:
        cache.put("model", {b"a": b"1"})
        assert cache.get("model", [b"a"]) == {b"a": b"1"}
        cache.touch("model", [b"a"])
        cache.prune(datetime(2000, 1, 1, tzinfo=UTC), 10)
    finally:
        cache.close()


def alerted(granted: Granted, _: Deployment) -> None:
    """Keep an alert, and no longer."""
    alerts = PostgresAlerts(url_as(granted.state, granted.runner), "syncer")
    kept = [Kept(Alert("Red", Severity.CRITICAL, "red", "look"), NOON)]
    try:
        assert alerts.hold("cluster")
        alerts.settle("cluster", lambda _: Settled(kept))
        alerts.settle("cluster", lambda _: Settled([]))
    finally:
        alerts.close()


def pruned(granted: Granted, _: Deployment) -> None:
    history = PostgresHistory(url_as(granted.state, granted.runner), "syncer")
    try:
        history.prune("articles", 1000)
    finally:
        history.close()


def forgotten(granted: Granted, _: Deployment) -> None:
    store = PostgresStateStore(url_as(granted.state, granted.runner), "syncer")
    try:
        store.forget("unknown")
    finally:
        store.close()


FAN_OUT = FanOut("way", ("1",))
READ, POLL = command("status"), command("run", "--once")
BACKFILL = command("backfill", "articles", "--restart")
TOUCHED = "UPDATE shop.articles SET title = title"

#: By what each privilege is missed. Of the right to prune and of that to see others' transactions `check` tells.
USES: Mapping[str, Use] = {
    "USAGE ON SCHEMA shop": POLL,
    "SELECT ON TABLE articles": POLL,
    "SELECT ON TABLE authors": POLL,
    "USAGE ON SCHEMA syncer": POLL,
    "SELECT ON TABLE tombstones": POLL,
    "SELECT ON TABLE alembic_version": READ,
    "SELECT ON TABLE indices": READ,
    "INSERT ON TABLE indices": command("rebuild", "articles", "--no-swap"),
    "UPDATE ON TABLE indices": POLL,
    "DELETE ON TABLE indices": forgotten,
    "SELECT ON TABLE checkpoints": READ,
    "INSERT ON TABLE checkpoints": POLL,
    "UPDATE ON TABLE checkpoints": POLL,
    "DELETE ON TABLE checkpoints": settle(Settlement(ended=["others"])),
    "SELECT ON TABLE dead_letters": READ,
    "INSERT ON TABLE dead_letters": command("run", "--once", first=TOUCHED),
    "UPDATE ON TABLE dead_letters": command("run", "--once", first=TOUCHED),
    "DELETE ON TABLE dead_letters": command("dead-letters", "discard", "articles", "--all"),
    "SELECT ON TABLE backfill_ranges": BACKFILL,
    "INSERT ON TABLE backfill_ranges": BACKFILL,
    "UPDATE ON TABLE backfill_ranges": BACKFILL,
    "DELETE ON TABLE backfill_ranges": BACKFILL,
    "SELECT ON TABLE fan_outs": READ,
    "INSERT ON TABLE fan_outs": settle(Settlement(begun=[FAN_OUT])),
    "UPDATE ON TABLE fan_outs": settle(Settlement(begun=[FAN_OUT])),
    "DELETE ON TABLE fan_outs": settle(Settlement(fanned_out={FAN_OUT: None})),
    "SELECT ON TABLE pauses": READ,
    "INSERT ON TABLE pauses": command("pause", "articles"),
    "UPDATE ON TABLE pauses": command("pause", "articles"),
    "DELETE ON TABLE pauses": command("resume", "articles"),
    **{f"{name} ON TABLE embeddings": cached for name in ("SELECT", "INSERT", "UPDATE", "DELETE")},
    **{f"{name} ON TABLE alerts": alerted for name in ("SELECT", "INSERT", "DELETE")},
    "SELECT ON TABLE runs": command("history"),
    "INSERT ON TABLE runs": command("verify", "articles"),
    "UPDATE ON TABLE runs": command("verify", "articles"),
    "DELETE ON TABLE runs": pruned,
    "SELECT ON SEQUENCE version": POLL,
    "UPDATE ON SEQUENCE version": POLL,
}
