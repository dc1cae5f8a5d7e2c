"""Index lifecycle management (ILM): an index that is followed moves to other nodes as it ages, a kept one is deleted.

ILM counts an index's age from its creation, unless `index.lifecycle.origination_date` says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from elastic_transport import ApiError, TransportError
from elasticsearch import Elasticsearch, NotFoundError

from syncer.adapters.elastic.error import cause, translate
from syncer.core.error import LifecycleRefused, SyncerError
from syncer.core.index import IndexRecord, Phase, Role

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000))


@dataclass(frozen=True, slots=True)
class AgedPhase:
    """A phase that an index enters by its age."""

    min_age_seconds: float
    priority: int
    #: Attributes of the nodes that its shards move to; none: the nodes of the phase's data tier, where there are any.
    nodes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LifecyclePhases:
    """What age does to the indices of a pipeline."""

    hot_priority: int
    warm: AgedPhase | None
    cold: AgedPhase | None
    #: From when an index is kept, instead of being followed, until it is deleted.
    delete_seconds: float

    def live(self) -> dict[str, Any]:
        """Return the phases of an index that is followed: none that deletes, closes, renames it or forbids writing."""
        aged = {"warm": self.warm, "cold": self.cold}
        return {
            "hot": {"min_age": "0ms", "actions": {"set_priority": {"priority": self.hot_priority}}},
            **{name: _aged(phase) for name, phase in aged.items() if phase},
        }

    def kept(self) -> dict[str, Any]:
        """Return the phases of an index that waits to be rolled back to."""
        return {"delete": {"min_age": _age(self.delete_seconds), "actions": {"delete": {}}}}


class ElasticLifecycle:
    """Implements `Lifecycle` with two policies for each alias: one for the followed index, one for kept ones."""

    def __init__(self, client: Elasticsearch, phases: LifecyclePhases | None) -> None:
        """phases None: policies that an earlier configuration asked for are taken from the indices."""
        self._client = client
        self._phases = phases

    def apply(self, record: IndexRecord) -> None:
        """Put the policy of the index's role where it differs, and attach it; see `ports.Lifecycle`."""
        with _refusals():
            attached, since = self.prove(record)
            policy, wanted_since = self._policy(record)
            if policy is not None:
                self._put(policy, record.alias)
            if (attached, since) == (policy, wanted_since):
                return
            if attached != policy and attached is not None:
                # Setting another name would do, but the index would first end the phase of the old policy.
                self._remove(record.name)
            settings = {"lifecycle.name": policy, "lifecycle.origination_date": wanted_since}
            self._client.indices.put_settings(index=record.name, settings=settings)

    def release(self, record: IndexRecord) -> None:
        """Take syncer's policy from the index; see `ports.Lifecycle`."""
        with _refusals():
            attached, since = self._attached(record.name)
            if attached in _names(record.alias):
                self._remove(record.name)
            if since is not None:
                self._client.indices.put_settings(index=record.name, settings={"lifecycle.origination_date": None})

    def prove(self, record: IndexRecord) -> tuple[str | None, str | None]:
        """Return the policy and origination date of an index; raises LifecycleRefused where the policy is another's."""
        with _refusals():
            attached, since = self._attached(record.name)
        if attached not in {None, *_names(record.alias)}:
            raise LifecycleRefused(
                f"index {record.name} has the ILM policy {attached!r}, which is not syncer's: "
                "it may delete, close or replace the index, or forbid writing",
                hint=f"take it away: POST /{record.name}/_ilm/remove; and out of the index template that names it",
            )
        return attached, since

    def rehearse(self, index: str) -> None:
        """Put both policies and attach one to an index that nobody uses, and take all of it away again.

        Raises LifecycleRefused where anything of this is refused, or ILM is stopped.
        """
        record = IndexRecord(index, "", index, Phase.LIVE, 0, {})
        try:
            self.apply(record)
            with _refusals():
                self._put(_names(index)[1], index)
                mode = self._client.ilm.get_status().body["operation_mode"]
        finally:
            # What went wrong above is told, not what follows from it here.
            with suppress(LifecycleRefused), _refusals():
                self.release(record)
                for name in _names(index):
                    self._client.options(ignore_status=404).ilm.delete_lifecycle(name=name)
        if mode != "RUNNING":
            raise LifecycleRefused("ILM is stopped on this server", hint="start it: POST /_ilm/start")

    def _policy(self, record: IndexRecord) -> tuple[str | None, str | None]:
        """Return the policy that an index should have, and from when its age counts in place of its creation."""
        live, kept = _names(record.alias)
        if self._phases is None:
            return None, None
        if record.role is Role.LIVE:
            return live, None
        if record.role is Role.KEPT and record.kept_since is not None:
            # From its creation an old index would be deleted as soon as it is kept.
            return kept, str(int(record.kept_since.timestamp() * 1000))
        return None, None

    def _put(self, policy: str, alias: str) -> None:
        """Put a policy, unless it is there: every put makes a new version, which every index has to take on."""
        assert self._phases is not None
        phases = self._phases.live() if policy == _names(alias)[0] else self._phases.kept()
        try:
            there = self._client.ilm.get_lifecycle(name=policy).body[policy]["policy"]["phases"]
        except NotFoundError:
            there = {}
        if not _same(there, phases):
            meta = {"syncer": {"alias": alias}}
            self._client.ilm.put_lifecycle(name=policy, policy={"phases": phases, "_meta": meta})

    def _attached(self, index: str) -> tuple[str | None, str | None]:
        found = self._client.indices.get_settings(index=index).body[index]["settings"]["index"].get("lifecycle", {})
        since = found.get("origination_date")
        return found.get("name"), None if since is None else str(since)

    def _remove(self, index: str) -> None:
        if self._client.ilm.remove_policy(index=index).body.get("has_failures"):
            raise LifecycleRefused(
                f"ILM does not let go of index {index} now", hint=f"see what it does: GET /{index}/_ilm/explain"
            )


def _names(alias: str) -> tuple[str, str]:
    """Return the policies for the followed and for kept indices. By alias: pipelines of two states may share a name."""
    return f"syncer-{alias}", f"syncer-{alias}-kept"


def _aged(phase: AgedPhase) -> dict[str, Any]:
    actions: dict[str, Any] = {"set_priority": {"priority": phase.priority}}
    if phase.nodes:
        # ILM adds `migrate` by itself: the shards would have to be in the data tier and on these nodes.
        actions |= {"allocate": {"require": dict(phase.nodes)}, "migrate": {"enabled": False}}
    return {"min_age": _age(phase.min_age_seconds), "actions": actions}


def _age(seconds: float) -> str:
    """Return a duration as ILM gives it back: whole, in the greatest unit."""
    length = round(seconds * 1000)
    for unit, size in _UNITS:
        if length >= size and length % size == 0:
            return f"{length // size}{unit}"
    return f"{length}ms"


def _same(there: Mapping[str, Any], phases: Mapping[str, Any]) -> bool:
    """Tell whether a policy has just these phases and actions; the server adds defaults to what they take."""
    return (
        there.keys() == phases.keys()
        and all(there[name]["actions"].keys() == phase["actions"].keys() for name, phase in phases.items())
        and _holds(there, phases)
    )


def _holds(there: Any, wanted: Any) -> bool:
    if isinstance(there, Mapping) and isinstance(wanted, Mapping):
        return all(name in there and _holds(there[name], value) for name, value in wanted.items())
    return bool(there == wanted)


@contextmanager
def _refusals() -> Iterator[None]:
    """Raise what the client raises as a SyncerError; what ILM will not do as LifecycleRefused."""
    try:
        yield
    except ApiError as error:
        raise _refusal(error) or translate(error) from error
    except TransportError as error:
        raise translate(error) from error


def _refusal(error: ApiError) -> SyncerError | None:
    status = error.meta.status
    kind, reason = cause(error.body)
    # 400 and 405: a build without ILM; 410: Elastic Cloud Serverless.
    if (status == 400 and reason.startswith("no handler found")) or status in {405, 410}:
        return LifecycleRefused(
            "the server has no index lifecycle management (ILM)",
            hint="leave `lifecycle` out, or use a build of Elasticsearch with ILM: it needs no paid licence",
        )
    if kind == "security_exception" and status == 403:
        if "license" in reason:
            return LifecycleRefused(
                f"the server's licence does not allow ILM: {reason}",
                hint="the free one does: POST /_license/start_basic?acknowledge=true; or leave `lifecycle` out",
            )
        return LifecycleRefused(
            f"ILM is refused: {reason}",
            hint="grant the cluster privilege manage_ilm, and manage on the index; or leave `lifecycle` out",
        )
    if status == 400:
        return LifecycleRefused(f"the server refuses what `lifecycle` asks for: {reason}", hint="check `lifecycle`")
    return None
