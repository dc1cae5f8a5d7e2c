"""Each part of what is printed is missed, by name."""

from __future__ import annotations

import re

import pytest

from syncer.adapters.postgres.grant import Grant, to_connect, to_read, to_show_state
from syncer.adapters.postgres.tables import Tables
from syncer.core.error import AccessDenied
from tests.app.deployment import Deployment
from tests.app.grants.granted import OF_SOURCE, OF_STATE, Granted, Without, database_of, has, single
from tests.app.grants.uses import USES


def test_no_table_of_the_state_is_forgotten() -> None:
    """Who adds one says here what the daemon does with it."""
    tables = {table.name for table in Tables("syncer").metadata.tables.values()}
    assert {grant.name[1] for grant in OF_STATE if grant.kind == "TABLE"} == tables | {"alembic_version"}


@pytest.mark.parametrize(
    ("state", "missing"),
    [*((False, grant) for grant in single(OF_SOURCE)), *((True, grant) for grant in single(list(OF_STATE)))],
    ids=str,
)
def test_check_names_what_is_missing(databases: Granted, running: Deployment, state: bool, missing: Grant) -> None:
    """† Whatever it is, with the SQL that mends it."""
    with Without(databases, missing, databases.runner, state):
        code, document = running.json("check")
        assert code != 0
        findings = [each for each in document["findings"] if each["severity"] in {"error", "warning"} and each["sql"]]
        (finding, *_) = [each for each in findings if str(missing.name[-1]) in each["what"] + each["sql"]]
        databases.sql(finding["sql"], state=state)
        assert has(databases, missing, state)


@pytest.mark.parametrize("state", [False, True], ids=["source", "state"])
def test_who_may_not_connect_is_told_so(databases: Granted, running: Deployment, state: bool) -> None:
    """That is no server which is away."""
    name = database_of(databases.state if state else databases.source)
    with Without(databases, to_connect(name), databases.runner, state):
        for command in ("check", "run --once"):
            code, out, err = running.run(*command.split())
            assert code != 0
            assert "permission denied for database" in out + err
            assert "grant CONNECT on the database: `syncer grants` prints the SQL" in " ".join((out + err).split())


def test_check_names_the_right_to_see_when_transactions_began(databases: Granted, running: Deployment) -> None:
    """Which is a membership."""
    databases.sql(f"REVOKE pg_read_all_stats FROM {databases.runner}")
    code, document = running.json("check")
    assert code == 1
    (finding,) = [each for each in document["findings"] if each["severity"] == "warning"]
    databases.sql(finding["sql"])
    assert running.run("check")[0] == 0


@pytest.mark.parametrize(
    ("state", "missing"),
    [
        (state, grant)
        for state, grants in ((False, OF_SOURCE), (True, OF_STATE))
        for grant in single(list(grants))
        if (grant.name[-1], grant.privileges) != ("tombstones", ("DELETE",))
    ],
    ids=str,
)
def test_each_is_missed(databases: Granted, running: Deployment, state: bool, missing: Grant) -> None:
    """† The message names the table, and the hint says where the SQL is; nothing is lost."""
    name = missing.name[-1]
    use = USES[f"{missing.privileges[0]} ON {missing.kind} {name}"]
    with Without(databases, missing, databases.runner, state), pytest.raises(AccessDenied) as denied:
        use(databases, running)
    told = f"{denied.value.message} {denied.value.hint}"
    assert re.search(rf"permission denied for (schema|table|sequence) {name}|may not read .*{name}", told), told
    assert "syncer grants" in told or "GRANT " in told
    running.run("resume", "articles")
    assert "denied" not in running.run("run", "--once")[2]


@pytest.mark.parametrize(
    ("state", "missing"),
    [
        *((False, grant) for grant in to_read([("shop", "articles"), ("shop", "authors")])),
        *((True, grant) for grant in to_show_state("syncer")),
    ],
    ids=str,
)
def test_each_is_missed_by_the_status(databases: Granted, running: Deployment, state: bool, missing: Grant) -> None:
    """Of the role that only shows; what is of the source alone leaves the rest of the status as it is."""
    name = missing.name[-1]
    databases.configure(running, databases.reader)
    command = {"authors": "check", "runs": "schedule"}.get(name, "status")
    with Without(databases, missing, databases.reader, state):
        code, out, err = running.run(command)
    assert re.search(rf"permission denied for (schema|table) {name}|may not read shop.{name}", out + err), out + err
    if state:
        assert (code, "syncer grants" in err) == (4, True)
