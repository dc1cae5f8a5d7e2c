"""The least that roles need for what they do, and where each statement goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncer.adapters.elastic.privilege import Privileges, to_search, to_write
from syncer.adapters.postgres.grant import (
    Grant,
    to_connect,
    to_create,
    to_keep_state,
    to_note,
    to_prune,
    to_read,
    to_show_state,
)
from syncer.adapters.postgres.remedy import bypass_policies, grant_stats
from syncer.adapters.postgres.tables import qualified
from syncer.app.purpose import Purpose

#: What roles are called where nobody says.
ROLES = {Purpose.MIGRATE: "syncer_owner", Purpose.RUN: "syncer", Purpose.SERVE: "syncer_reader"}


@dataclass(frozen=True, slots=True)
class Needed:
    """What pipelines are made of."""

    #: The databases of `source.url` and `state.url`.
    source: str
    state: str
    #: The state lives in the source database.
    shared: bool
    #: The schema of the state, and that of the tombstones.
    schema: str
    #: What is read, as schema and name.
    tables: Sequence[tuple[str, str]]
    #: Row-level security is on for some of them.
    secured: bool
    #: There are tombstones.
    noted: bool
    #: To whom the tables belong that triggers can be on.
    owners: Sequence[str]
    aliases: Sequence[str]
    #: Policies of index lifecycle management are put.
    ages: bool


@dataclass(frozen=True, slots=True)
class RoleGrants:
    """What one role needs."""

    purpose: Purpose
    role: str
    #: Statements for the source database, and for that of the state where it is another one.
    source: Sequence[str] = ()
    state: Sequence[str] = ()
    elasticsearch: Privileges | None = None

    def document(self) -> Mapping[str, Any]:
        return {
            "for": self.purpose.value,
            "role": self.role,
            "source": list(self.source),
            "state": list(self.state),
            "elasticsearch": None if self.elasticsearch is None else self.of_elasticsearch(),
        }

    def of_elasticsearch(self) -> Mapping[str, Any]:
        """Return the bodies of the requests that make a role, and an API key."""
        return {
            "role": self.elasticsearch,
            "api_key": {"name": self.role, "role_descriptors": {self.role: self.elasticsearch}},
        }


def role_grants(purpose: Purpose, needed: Needed, role: str | None = None) -> Sequence[RoleGrants]:
    """Return what the role needs for a purpose; for triggers what each owner of tables needs.

    role: None for the usual name. Pure.
    """
    if purpose is Purpose.TRIGGERS:
        return [_of_owner(needed, owner) for owner in needed.owners]
    role = role or ROLES[purpose]
    if purpose is Purpose.MIGRATE:
        return [_placed(purpose, needed, role, [], [_schema(needed.schema), to_create(needed.schema).to(role)])]
    reads = [grant.to(role) for grant in to_read(needed.tables)]
    if needed.secured:
        reads.append(bypass_policies(role))
    if purpose is Purpose.SERVE:
        shown = _sql(to_show_state(needed.schema), role)
        return [_placed(purpose, needed, role, reads, shown, to_search(needed.aliases))]
    source = [grant_stats(role), *reads, *(_sql(to_prune(needed.schema), role) if needed.noted else [])]
    kept = _sql(to_keep_state(needed.schema), role)
    return [_placed(purpose, needed, role, source, kept, to_write(needed.aliases, ages=needed.ages))]


def _placed(
    purpose: Purpose,
    needed: Needed,
    role: str,
    source: Sequence[str],
    state: Sequence[str],
    elasticsearch: Privileges | None = None,
) -> RoleGrants:
    """Return the statements by database, each once."""
    to_source = [to_connect(needed.source).to(role)] if source or needed.shared else []
    if needed.shared:
        return RoleGrants(purpose, role, _once([*to_source, *source, *state]), (), elasticsearch)
    to_state = [to_connect(needed.state).to(role)]
    return RoleGrants(purpose, role, [*to_source, *_once(source)], [*to_state, *state], elasticsearch)


def _of_owner(needed: Needed, owner: str) -> RoleGrants:
    # Tombstones that are there may belong to the owner already; then it is said twice.
    grants = _sql(to_note(needed.schema, begun=needed.noted), owner)
    return RoleGrants(Purpose.TRIGGERS, owner, [_schema(needed.schema), *grants])


def _schema(name: str) -> str:
    return f"CREATE SCHEMA IF NOT EXISTS {qualified(name)};"


def _sql(grants: Sequence[Grant], role: str) -> Sequence[str]:
    return [grant.to(role) for grant in grants]


def _once(statements: Sequence[str]) -> Sequence[str]:
    return list(dict.fromkeys(statements))
