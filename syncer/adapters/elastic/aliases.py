"""The alias that searches use: what is behind it, and its way from one index to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from elasticsearch import BadRequestError, Elasticsearch, NotFoundError

from syncer.core.error import ConfigurationError
from syncer.core.index import Targets


class Aliases:
    """Looks at aliases and moves them. Safe for several threads. Raises the client's errors too, untranslated."""

    def __init__(self, client: Elasticsearch) -> None:
        self._client = client

    def targets(self, alias: str) -> Targets:
        """Return what the name stands for; see `ports.Indices`."""
        found = self._behind(alias)
        if any(alias not in body["aliases"] for body in found.values()):
            return Targets({}, is_index=True)
        # An index that is alone takes the writes, unless it is said not to.
        alone = len(found) == 1
        return Targets(
            {index: bool(body["aliases"][alias].get("is_write_index", alone)) for index, body in found.items()}
        )

    def prove(self, alias: str, pipeline: object) -> None:
        """Raise ConfigurationError where the alias cannot be given to an index of this pipeline."""
        _prove(alias, pipeline, self._behind(alias), take_over=False)

    def point(self, alias: str, index: str, pipeline: object, *, take_over: bool) -> None:
        """Point the alias to this index alone, in one step; see `publish` of `ports.Indices`."""
        for last in (False, False, True):
            found = self._behind(alias)
            _prove(alias, pipeline, found, take_over=take_over)
            # By name, not `remove` from `*`: that would also take the alias from an index that nobody has looked at.
            leave = [
                {"remove_index": {"index": other}} if other == alias else {"remove": {"index": other, "alias": alias}}
                for other in found
                if other != index
            ]
            try:
                add = {"add": {"index": index, "alias": alias, "is_write_index": True}}
                self._client.indices.update_aliases(actions=[*leave, add])
                return
            except (BadRequestError, NotFoundError):
                # What was looked at has gone meanwhile, or an index of that name has appeared: nothing was done.
                if last:
                    raise

    def _behind(self, alias: str) -> dict[str, Any]:
        """Return what answers to the name, by index: those behind the alias, or the index that is called so."""
        try:
            found = self._client.indices.get(index=alias, features="aliases,mappings", expand_wildcards="all")
        except NotFoundError:
            return {}
        return dict(sorted(found.body.items()))


def meta_of(index: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return `_meta.syncer` of an index as the server describes it; None: syncer did not make it."""
    meta: Mapping[str, Any] | None = index["mappings"].get("_meta", {}).get("syncer")
    return meta


def _prove(alias: str, pipeline: object, found: Mapping[str, Any], *, take_over: bool) -> None:
    """Raise ConfigurationError where something is in the way; to take over, only where it cannot be moved."""
    for body in found.values():
        if "data_stream" in body:
            raise ConfigurationError(
                f"{alias} leads to data stream {body['data_stream']}, so that it cannot be an alias of ours",
                hint="choose another index.alias",
            )
    if take_over:
        return
    # Who asks need not know whether an index is built already; whoever reads it does.
    command = (
        f"syncer promote {pipeline} --take-over, or where none is built yet: syncer rebuild {pipeline} --take-over"
    )
    if alias in found:
        raise ConfigurationError(
            f"{alias} is the name of an index, so that it cannot be an alias",
            hint=f"choose another index.alias; or let the pipeline's index take its place, which deletes it: {command}",
        )
    for index, body in found.items():
        owner = (meta_of(body) or {}).get("pipeline")
        if owner is None or owner != pipeline:
            belongs = f"of pipeline {owner!r}" if owner else "that syncer did not create"
            raise ConfigurationError(
                f"alias {alias} points to index {index} {belongs}",
                hint=f"choose another index.alias; or let the pipeline's index take the alias from {index}, "
                f"which stays as it is otherwise: {command}",
            )
