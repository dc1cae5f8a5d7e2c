"""Physical indices: made, extended, looked at, published and deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from elastic_transport import ApiError
from elasticsearch import BadRequestError, Elasticsearch, NotFoundError

from syncer.adapters.elastic.aliases import Aliases, meta_of
from syncer.adapters.elastic.error import cause, translate_errors
from syncer.adapters.elastic.mapping import LOADING, IndexSettings, graphs, index_settings, kept_settings, while_loading
from syncer.adapters.elastic.shard import index_shards
from syncer.adapters.elastic.version import server_version
from syncer.core.error import ConfigurationError, FatalError, IndexMissing, SinkUnavailable
from syncer.core.index import Health, IndexIdentity, IndexStatistics, Targets, write_alias
from syncer.core.shards import Shards

#: How long a look at the shards waits for them.
_HEALTH_SECONDS = 5
_JSON = {"accept": "application/json"}
#: From here on a field whose vectors are only stored can be given a graph later. (From 8.15 on, says Elasticsearch;
#: noida-db says it is that, and forgets its tasks.)
_GRAPH_LATER = (8, 16)
#: In `_meta` of an index whose graphs are still to be built.
_LATER = {"graphs": "later"}
#: Of more rows in a shard, graphs are built while they come in. One merge, which is what builds them afterwards, takes
#: one processor and leaves one segment; and until it has ended searches look at every vector.
_GRAPH_LATER_ROWS = 500_000


class ElasticIndices:
    """Creates, publishes and deletes indices of one mapping. Safe for several threads."""

    def __init__(self, client: Elasticsearch, mapping: Mapping[str, Any], settings: IndexSettings) -> None:
        self._client = client
        self._aliases = Aliases(client)
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
                    mappings=self._loading_mapping(meta),
                    # By default the server waits for the shards for as long as the client does for the server.
                    timeout="10s",
                )
            except BadRequestError as error:
                kind, reason = cause(error.body)
                if kind != "resource_already_exists_exception":
                    raise _refused(name, kind, reason) from error
                self._accept(name, meta)
            else:
                self._prove_unseen(name)

    def _loading_mapping(self, meta: Mapping[str, object]) -> Mapping[str, Any]:
        if graphs(self._mapping) and server_version(self._client) >= _GRAPH_LATER:
            return {**while_loading(self._mapping), "_meta": {"syncer": meta, **_LATER}}
        return {**self._mapping, "_meta": {"syncer": meta}}

    def expect(self, name: str, rows: int) -> None:
        """Build graphs from the beginning where they are too large to be built at the end; see `ports.Indices`."""
        if rows > _GRAPH_LATER_ROWS * self._settings.shards:
            with translate_errors():
                if self._put_graphs(name):
                    self._unmark(name, self._get(name))

    def part(self, name: str) -> None:
        """Begin another segment: of a single one a merge makes nothing new, and so no graph; see `ports.Indices`."""
        with translate_errors():
            self._client.indices.refresh(index=name)

    def build_graphs(self, name: str) -> str | None:
        """Have the graphs built, by a merge of all segments into one; see `ports.Indices`."""
        with translate_errors():
            if not self._put_graphs(name):
                return None
            # Whether an earlier call has begun already is not known; what is merged is not merged again.
            answer = self._client.indices.forcemerge(index=name, max_num_segments=1, wait_for_completion=False)
            return str(answer.body["task"])

    def is_running(self, task: str) -> bool:
        """Tell whether a task has not ended; see `ports.Indices`."""
        with translate_errors():
            try:
                # Not the client's own method, which warns at each call that the interface of tasks may change.
                answer = self._client.perform_request("GET", f"/_tasks/{task}", headers=_JSON).body
            except NotFoundError as error:
                raise SinkUnavailable(f"elasticsearch: merge {task} is lost: its node has left or restarted") from error
        if not answer["completed"]:
            return True
        # A shard that is not allocated, or moves away meanwhile, is no failure to it.
        done = answer.get("response", {}).get("_shards", {}).get("successful", 0)
        if done < self._settings.shards:
            raise SinkUnavailable(f"elasticsearch: {done} of {self._settings.shards} shards were merged")
        return False

    def _put_graphs(self, name: str) -> bool:
        """Give the vectors the index options for searches, where the load has left them out; tell whether it has."""
        if not _LATER.items() <= self._get(name)["mappings"].get("_meta", {}).items():
            return False
        self._client.indices.put_mapping(index=name, properties=graphs(self._mapping))
        return True

    def _unmark(self, name: str, found: Mapping[str, Any]) -> None:
        """Take note that no graph is left out."""
        meta = found["mappings"].get("_meta", {})
        if _LATER.items() <= meta.items():
            kept = {key: value for key, value in meta.items() if key not in _LATER}
            self._client.indices.put_mapping(index=name, meta=kept)

    def _accept(self, name: str, meta: Mapping[str, object]) -> None:
        """Raise ConfigurationError unless the index that is there is the one that should be created."""
        found = self._get(name)
        if found["settings"]["index"].get("verified_before_close") == "true":
            raise ConfigurationError(f"index {name} is closed", hint=f"open it: POST /{name}/_open")
        known = meta_of(found)
        if known != meta or write_alias(name) not in found["aliases"]:
            another = "another index" if known else "an index that syncer did not create"
            raise ConfigurationError(
                f"{another} is called {name}", hint=f"delete it, if it is not needed: DELETE /{name}"
            )

    def _prove_unseen(self, name: str) -> None:
        """Delete the new index, and raise ConfigurationError, where an index template lets searches find it already."""
        others = self._get(name)["aliases"].keys() - {write_alias(name)}
        if others:
            self._client.indices.delete(index=name)
            raise ConfigurationError(
                f"an index template gives new indices called like {name} the alias {min(others)}, "
                "so that searches would find them half loaded",
                hint="take the alias out of the template",
            )

    def extend(self, name: str, meta: Mapping[str, object]) -> None:
        """Add fields and sub-fields; see `ports.Indices`."""
        with translate_errors():
            kept = self._get(name)["mappings"].get("_meta", {})
            try:
                # The whole mapping, not the additions: what is there already is compared by Elasticsearch, which
                # refuses it where it differs, and keeps what is not named. Of `_meta` it keeps nothing.
                self._client.indices.put_mapping(index=name, meta={**kept, "syncer": meta}, **self._mapping)
            except BadRequestError as error:
                raise ConfigurationError(
                    f"Elasticsearch refuses to add the fields to index {name}: {cause(error.body)[1]}",
                    hint=f"build a new index: syncer rebuild {meta.get('pipeline')}",
                ) from error

    def meta(self, name: str) -> Mapping[str, Any] | None:
        """Return `_meta.syncer` as it was given last. Raises IndexMissing."""
        with translate_errors():
            return meta_of(self._get(name))

    def identity(self, name: str) -> IndexIdentity:
        """Return what the index is; see `ports.Indices`."""
        with translate_errors():
            found = self._get(name)
            settings = found["settings"]["index"]
            if write_alias(name) not in found["aliases"]:
                raise IndexMissing(
                    f"index {name} has lost its write alias {write_alias(name)}",
                    hint=f"build a new one: syncer rebuild {(meta_of(found) or {}).get('pipeline', 'PIPELINE')}",
                )
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

    def shards(self, name: str) -> Shards:
        """Return the shards of an index; see `ports.Indices`."""
        with translate_errors():
            return index_shards(self._client, name, self._get(name)["settings"]["index"])

    def restore(self, name: str) -> None:
        """Give it the settings for searches; see `ports.Indices`."""
        with translate_errors():
            index = self._get(name)
            found = index["settings"]["index"]
            wanted = kept_settings(self._settings)
            # The master is asked only where there is something to do.
            if any(found.get(setting) != str(value) for setting, value in wanted.items()):
                self._client.indices.put_settings(index=name, settings=wanted)
            self._unmark(name, index)

    def health(self, name: str) -> Health:
        """Return where its shards are; see `ports.Indices`."""
        with translate_errors():
            copies = 1 + int(self._get(name)["settings"]["index"]["number_of_replicas"])
            found = self._wait_for(name, "green")
        return Health(
            green=found["status"] == "green",
            yellow=found["status"] != "red",
            moving=found["initializing_shards"] + found["relocating_shards"],
            unassigned=found["unassigned_shards"],
            crowded=found["number_of_data_nodes"] < copies,
        )

    def _wait_for(self, name: str, status: str) -> Mapping[str, Any]:
        """Return where the shards are when they are as they should be, or after some seconds."""
        client = self._client.options(request_timeout=_HEALTH_SECONDS + 10)
        try:
            answer = client.cluster.health(index=name, wait_for_status=status, timeout=f"{_HEALTH_SECONDS}s").body
        except ApiError as error:
            # That is how Elasticsearch says that they are not yet; a proxy that gives up says it in other words.
            if error.meta.status != 408 or not isinstance(error.body, dict) or "timed_out" not in error.body:
                raise
            answer = error.body
        found: Mapping[str, Any] = answer
        return found

    def targets(self, alias: str) -> Targets:
        """Return what the alias stands for; see `ports.Indices`."""
        with translate_errors():
            return self._aliases.targets(alias)

    def prove_alias(self, alias: str, pipeline: str) -> None:
        """Raise ConfigurationError where the alias belongs to something else than this pipeline."""
        with translate_errors():
            self._aliases.prove(alias, pipeline)

    def publish(self, name: str, alias: str, *, take_over: bool = False) -> None:
        """Point the alias to this index alone; see `ports.Indices`."""
        with translate_errors():
            pipeline = (meta_of(self._get(name)) or {}).get("pipeline")
            # A refresh passes over a primary that is away, and searches through the alias would fail.
            if self._wait_for(name, "yellow")["status"] == "red":
                raise SinkUnavailable(f"index {name} is not ready after {_HEALTH_SECONDS} s: a primary shard is away")
            self._client.indices.refresh(index=name)
            self._aliases.point(alias, name, pipeline, take_over=take_over)

    def statistics(self, names: Sequence[str]) -> Mapping[str, IndexStatistics]:
        """Return what they take; see `ports.Indices`. One that is closed has the health `closed`, and no documents."""
        found: dict[str, IndexStatistics] = {}
        # One by one: the server refuses a list in which one is missing.
        for name in names:
            with suppress(IndexMissing), translate_errors():
                found[name] = self._statistics(name)
        return found

    def _statistics(self, name: str) -> IndexStatistics:
        self._get(name)
        answer = self._client.indices.stats(index=name, metric="store,indexing", forbid_closed_indices=False).body
        if name not in answer["indices"]:
            return IndexStatistics(0, 0, "red")  # not one of its shards is there
        index = answer["indices"][name]
        taken = index["primaries"]["store"]["size_in_bytes"]
        if index["status"] != "open":
            return IndexStatistics(0, taken, "closed")
        # Statistics count the entries of nested fields as documents too.
        written = index["primaries"].get("indexing", {}).get("index_total")
        return IndexStatistics(self.count(name), taken, index["health"], written)

    def blocks(self, name: str) -> Sequence[str]:
        """Return the settings by which the server refuses what is done to an index, as `index.blocks.write`."""
        with translate_errors():
            answer = self._client.indices.get_settings(index=name, name="index.blocks.*", flat_settings=True).body
        settings = answer.get(name, {}).get("settings", {})
        return sorted(setting for setting, value in settings.items() if str(value).lower() == "true")

    def delete(self, name: str) -> None:
        """Delete an index; see `ports.Indices`."""
        with translate_errors():
            self._client.indices.delete(index=name, ignore_unavailable=True)

    def count(self, name: str) -> int:
        """Return how many documents are searchable."""
        with translate_errors():
            return int(self._client.count(index=name).body["count"])

    def _get(self, name: str) -> Mapping[str, Any]:
        return _called(name, self._client.indices.get(index=name).body)


def _called(name: str, found: Mapping[str, Any]) -> Mapping[str, Any]:
    if name not in found:
        raise IndexMissing(f"there is no index {name}; that is an alias", hint="build one: syncer rebuild PIPELINE")
    index: Mapping[str, Any] = found[name]
    return index


def _refused(name: str, kind: str, reason: str) -> ConfigurationError:
    if kind == "invalid_alias_name_exception":
        taken = write_alias(name)
        return ConfigurationError(
            f"{taken} is the name of an index, so that it cannot be the alias through which {name} is written to",
            hint=f"delete it, if it is not needed: DELETE /{taken}",
        )
    hint = "check the pipeline's fields and index settings"
    if "total fields" in reason:
        hint = "list fewer fields, or set mapping.total_fields.limit in index.settings"
    return ConfigurationError(f"Elasticsearch refuses to create index {name}: {reason}", hint=hint)
