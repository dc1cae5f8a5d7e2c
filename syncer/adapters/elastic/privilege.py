"""What a role or an API key needs in Elasticsearch for what it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from elastic_transport import ApiError
from elasticsearch import Elasticsearch

from syncer.adapters.elastic.error import translate_errors

#: As the server takes it: of a role, and of an API key.
Privileges = Mapping[str, Any]


def to_write(aliases: Sequence[str], *, ages: bool) -> Privileges:
    """Return what keeps the indices behind aliases, to build others and to search them too.

    ages: policies of index lifecycle management are put. `manage`, for to give an index an alias and to change its
    settings takes no less.
    """
    return _on(aliases, ["monitor", *(["manage_ilm"] if ages else [])], ["manage", "index", "delete", "read"])


def to_search(aliases: Sequence[str]) -> Privileges:
    """Return what searches, and shows how the indices are."""
    return _on(aliases, ["monitor"], ["read", "view_index_metadata", "monitor"])


def lacking(client: Elasticsearch, privileges: Privileges) -> Sequence[str]:
    """Return what this user or key lacks, in the server's words; nothing where the server knows no privileges.

    Raises SinkUnavailable.
    """
    with translate_errors():
        try:
            answer = client.security.has_privileges(cluster=privileges["cluster"], index=privileges["indices"]).body
        except ApiError as error:
            if error.meta.status in {429, 502, 503, 504}:
                raise
            return []
    return list(_lacking(answer))


def _on(aliases: Sequence[str], cluster: Sequence[str], privileges: Sequence[str]) -> Privileges:
    # An alias, and the indices called like it: those behind it, their write aliases, and what `check` tries.
    names = [name for alias in aliases for name in (alias, f"{alias}-*")]
    return {"cluster": list(cluster), "indices": [{"names": names, "privileges": list(privileges)}]}


def _lacking(answer: Mapping[str, Any]) -> Iterator[str]:
    for privilege, has in answer.get("cluster", {}).items():
        if not has:
            yield f"the cluster privilege {privilege}"
    for name, privileges in answer.get("index", {}).items():
        lost = [privilege for privilege, has in privileges.items() if not has]
        if lost:
            yield f"the index {'privilege' if len(lost) == 1 else 'privileges'} {', '.join(lost)} on {name}"
