"""Physical indices and the alias that points to one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from elastic_transport import ApiError
from elasticsearch import BadRequestError, Elasticsearch, NotFoundError

from syncer.adapters.elastic.error import cause, translate_errors
from syncer.adapters.elastic.mapping import LOADING, IndexSettings, index_settings, kept_settings
from syncer.core.error import ConfigurationError, FatalError, IndexMissing, SinkUnavailable
from syncer.core.index import IndexIdentity, write_alias

#: How long publishing waits for the primary shards.
_READY_SECONDS = 30


class ElasticIndices:
    """Creates, publishes and deletes indices of one mapping. Safe for several threads."""

    def __init__(self, client: Elasticsearch, mapping: Mapping[str, Any], settings: IndexSettings) -> None:
        self._client = client
        self._mapping = mapping
        self._settings = settings

    def create(self, name: str, meta: Mapping[str, object]) -> None:
        """Create an index for loading; see `ports.Indices`."""
        with translate_errors():
            try:
                self._client.indices.create(
                    index=name,
                    aliases={write_alias(name): {"is_write_index": True}},
                    settings={**index_settings(self._settings), **LOADING},
                    mappings={**self._mapping, "_meta": {"syncer": meta}},
                )
            except BadRequestError as error:
                kind, reason = cause(error.body)
                if kind != "resource_already_exists_exception":
                    raise ConfigurationError(
                        f"Elasticsearch refuses to create index {name}: {reason}",
                        hint="check the pipeline's fields and index settings",
                    ) from error
                self._accept(name, meta)

    def _accept(self, name: str, meta: Mapping[str, object]) -> None:
        """Raise ConfigurationError unless the index that is there is the one that should be created."""
        found = self._get(name)
        if found["settings"]["index"].get("verified_before_close") == "true":
            raise ConfigurationError(f"index {name} is closed", hint=f"open it: POST /{name}/_open")
        if _meta(found) != meta or write_alias(name) not in found["aliases"]:
            raise ConfigurationError(
                f"another index is called {name}", hint=f"delete it, if it is not needed: DELETE /{name}"
            )

    def meta(self, name: str) -> Mapping[str, Any] | None:
        """Return `_meta.syncer` as it was given at creation. Raises IndexMissing."""
        with translate_errors():
            return _meta(self._get(name))

    def identity(self, name: str) -> IndexIdentity:
        """Return what the index is; see `ports.Indices`."""
        with translate_errors():
            found = self._get(name)
            settings = found["settings"]["index"]
            if write_alias(name) not in found["aliases"]:
                raise IndexMissing(f"index {name} has lost its write alias {write_alias(name)}", hint="syncer rebuild")
            durability = settings.get("translog", {}).get("durability", "request")
            if durability != "request":
                raise FatalError(
                    f"index {name}: translog.durability is {durability!r}, so that acknowledged writes can be lost",
                    hint="set it back to request, then compare the index with the source: syncer verify",
                )
            histories = self._histories(name)
        shards = int(settings["number_of_shards"])
        return IndexIdentity(settings["uuid"], histories, shards - len(histories))

    def _histories(self, name: str) -> dict[str, str]:
        stats = self._client.indices.stats(
            index=name,
            metric="docs",
            level="shards",
            filter_path="indices.*.shards.*.routing.primary,indices.*.shards.*.commit.user_data.history_uuid",
        )
        shards = stats.body.get("indices", {}).get(name, {}).get("shards", {})
        return {
            number: copy["commit"]["user_data"]["history_uuid"]
            for number, copies in shards.items()
            for copy in copies
            if copy["routing"]["primary"] and "commit" in copy
        }

    def publish(self, name: str, alias: str) -> None:
        """Restore the settings, and point the alias to this index alone; see `ports.Indices`."""
        with translate_errors():
            pipeline = (_meta(self._get(name)) or {}).get("pipeline")
            others = self._behind(alias, pipeline) - {name}
            self._client.indices.put_settings(index=name, settings=kept_settings(self._settings))
            self._wait_for_primaries(name)
            self._client.indices.refresh(index=name)
            self._client.indices.update_aliases(
                actions=[
                    *({"remove": {"index": other, "alias": alias}} for other in sorted(others)),
                    {"add": {"index": name, "alias": alias}},
                ]
            )

    def prove_alias(self, alias: str, pipeline: str) -> None:
        """Raise ConfigurationError where the alias belongs to something else than this pipeline."""
        with translate_errors():
            self._behind(alias, pipeline)

    def _behind(self, alias: str, pipeline: object) -> set[str]:
        """Return the indices that the alias points to; raises ConfigurationError unless all are of this pipeline."""
        try:
            found = self._client.indices.get(index=alias, expand_wildcards="all").body
        except NotFoundError:
            return set()
        if alias in found:
            raise ConfigurationError(
                f"{alias} is the name of an index, so that it cannot be an alias",
                hint=f"choose another index.alias, or delete the index: DELETE /{alias}",
            )
        for index, body in found.items():
            owner = (_meta(body) or {}).get("pipeline")
            if owner != pipeline or owner is None:
                belongs = f"of pipeline {owner!r}" if owner else "that syncer did not create"
                raise ConfigurationError(
                    f"alias {alias} points to index {index} {belongs}",
                    hint="choose another index.alias, or remove that one",
                )
        return set(found)

    def _wait_for_primaries(self, name: str) -> None:
        waiting = self._client.options(request_timeout=_READY_SECONDS + 10)
        try:
            waiting.cluster.health(index=name, wait_for_status="yellow", timeout=f"{_READY_SECONDS}s")
        except ApiError as error:
            if error.meta.status == 408:
                raise SinkUnavailable(f"index {name} is not ready after {_READY_SECONDS} s") from error
            raise

    def delete(self, name: str) -> None:
        """Delete an index; see `ports.Indices`."""
        with translate_errors():
            self._client.indices.delete(index=name, ignore_unavailable=True)

    def count(self, name: str) -> int:
        """Return how many documents are searchable."""
        with translate_errors():
            return int(self._client.count(index=name).body["count"])

    def _get(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client.indices.get(index=name).body
        if name not in found:
            raise IndexMissing(f"there is no index {name}; that is an alias", hint="syncer rebuild")
        index: dict[str, Any] = found[name]
        return index


def _meta(index: Mapping[str, Any]) -> Mapping[str, Any] | None:
    meta: Mapping[str, Any] | None = index["mappings"].get("_meta", {}).get("syncer")
    return meta
