"""A daemon that is woken by commits."""

from __future__ import annotations

from tests.acceptance.installation import Installation, eventually


def test_rows_are_in_the_index_long_before_the_next_poll(installation: Installation) -> None:
    """Written before the connection of the wakeups is lost and after; SIGTERM ends the daemon at once."""
    installation.configure(poll={"interval": "120s", "wakeup": "notify"}, index={"replicas": 0})
    installation.succeed("install-triggers", installation.alias)
    with installation.running("run") as daemon:
        daemon.wait_for("loaded")
        installation.sql("INSERT INTO public.item (id, title) VALUES (1, 'one')")
        eventually(lambda: installation.indexed().keys() == {"1"}, "the first row is in the index", 30)
        ended = installation.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'syncer wakeups' "
            "AND datname = current_database()"
        )
        assert ended == [(True,)]
        daemon.wait_for("wakeups again", 30)
        installation.sql("DELETE FROM public.item; INSERT INTO public.item (id, title) VALUES (2, 'two')")
        eventually(lambda: installation.indexed().keys() == {"2"}, "the second row has taken its place", 30)
        assert daemon.terminate(10) == 0
