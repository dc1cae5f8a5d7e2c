"""The composition root: settings in, pipelines out. The only place that knows every adapter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from syncer.adapters.elastic.client import AsyncClient, Client, ElasticConnection, connect, connect_async, server
from syncer.adapters.elastic.digests import ElasticDigests
from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.lifecycle import AgedPhase, ElasticLifecycle, LifecyclePhases
from syncer.adapters.elastic.search.async_searcher import AsyncElasticSearcher
from syncer.adapters.elastic.search.searched import Searched
from syncer.adapters.elastic.search.searcher import ElasticSearcher
from syncer.adapters.elastic.sink import ElasticSink
from syncer.adapters.postgres.digests import PostgresDigests
from syncer.adapters.postgres.documents import PostgresDocuments
from syncer.adapters.postgres.history import PostgresHistory
from syncer.adapters.postgres.listener import Listener, PostgresWakeups
from syncer.adapters.postgres.migrate import require_current
from syncer.adapters.postgres.session import LOOKING_SETTINGS, SOURCE_SETTINGS, STATE_SETTINGS, Session
from syncer.adapters.postgres.source import refuse_standby
from syncer.adapters.postgres.state import PostgresStateStore
from syncer.adapters.postgres.vector_cache import PostgresVectorCache
from syncer.app.blueprint import Blueprint, draw_up
from syncer.app.lifecycle_settings import LifecycleSettings
from syncer.app.model import embedder
from syncer.app.pipeline_settings import PipelineSettings
from syncer.app.pipeline_table import pipeline_feeds, pipeline_fields, pipeline_routing, pipeline_table
from syncer.app.pipeline_vectors import pipeline_vectors, prove_pieces
from syncer.app.reader import source_reader
from syncer.app.recorded import by_itself
from syncer.app.redaction import Redact, redactor
from syncer.app.settings import Settings
from syncer.app.source_listener import source_listener
from syncer.app.transform import LoadedTransform, load_transform
from syncer.core.error import ConfigurationError, SourceUnavailable, StateUnavailable
from syncer.core.index import write_alias
from syncer.engine.embed import Embedding
from syncer.engine.pipeline import Limits, OnChange, Pipeline, Retention, Sides
from syncer.engine.poll import PollLimits
from syncer.engine.shared_reads import SharedReads
from syncer.engine.telemetry import Measures, Telemetry
from syncer.ports import Clock, Model

if TYPE_CHECKING:
    from syncer.app.tracing import Tracing

#: Batches under way at once, over all pipelines.
_WRITERS = 8
#: Queries whose vectors are kept: who compares ways to search, or pages, asks the same again.
_QUERIES_KEPT = 1000


class Application:
    """Everything that one process shares; connects to what is asked for, when it is asked for."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self._executor = ThreadPoolExecutor(_WRITERS, thread_name_prefix="write")
        self._building = Lock()
        self._shared_reads = SharedReads()
        #: By setting: what two pipelines share is still called by one at a time.
        self._transforms: dict[str, LoadedTransform] = {}
        #: Whether there is a pipeline, so that there may be something to settle.
        self.begun = False
        #: What measures a pipeline by its name; whoever wants to joins before pipelines are built.
        self.measures: list[Callable[[str], Telemetry]] = [self.tracing.telemetry] if self.tracing else []

    def renewed(self, settings: Settings) -> Application:
        """Return an application of other settings, for as long as the process lasts; neither a model nor a function is
        loaded twice."""
        fresh = Application(settings, self._clock)
        fresh._transforms, fresh.measures = self._transforms, self.measures
        if settings.source == self.settings.source:
            fresh._shared_reads = self._shared_reads
            if "listener" in self.__dict__:
                fresh.listener = self.listener
        if settings.embedding == self.settings.embedding and "embedder" in self.__dict__:
            fresh.embedder = self.embedder
        return fresh

    def names(self, requested: Sequence[str]) -> list[str]:
        """Return the names of the pipelines that were asked for; of all where none were."""
        known = list(self.settings.pipelines)
        for name in requested:
            if name not in known:
                raise ConfigurationError(f"there is no pipeline {name!r}", hint=f"there is {', '.join(known)}")
        return list(dict.fromkeys(requested)) or known

    @cached_property
    def redact(self) -> Redact:
        """Masks what nobody may be shown."""
        return redactor(self.settings.secrets())

    @cached_property
    def store(self) -> PostgresStateStore:
        """The state. Raises ConfigurationError where its schema is missing or of another version."""
        url, schema = self.settings.state_url.get_secret_value(), self.settings.state.schema_
        require_current(url, schema, setting=self._state_setting)
        return PostgresStateStore(url, schema, setting=self._state_setting, redact=self.redact)

    @cached_property
    def history(self) -> PostgresHistory:
        """The runs of jobs and commands."""
        url = self.settings.state_url.get_secret_value()
        return PostgresHistory(url, self.settings.state.schema_, setting=self._state_setting, redact=self.redact)

    @cached_property
    def vector_cache(self) -> PostgresVectorCache:
        """The vectors of all pipelines."""
        url = self.settings.state_url.get_secret_value()
        return PostgresVectorCache(url, self.settings.state.schema_, setting=self._state_setting)

    @cached_property
    def elasticsearch(self) -> Client:
        """The client. Raises ConfigurationError where what answers is too old, or something else."""
        client = connect(self._connection)
        server(client)
        return client

    def async_elasticsearch(self) -> AsyncClient:
        """Return a client for the running event loop, which whoever asked closes; nothing is sent yet."""
        return connect_async(self._connection)

    @cached_property
    def embedder(self) -> Model:
        """The model: one for all pipelines."""
        return embedder(self.settings.embedding, self._clock)

    @cached_property
    def listener(self) -> Listener:
        """What wakes polls: one for all pipelines."""
        return source_listener(self.settings, self._clock)

    @cached_property
    def tracing(self) -> Tracing | None:
        """What makes spans, if they are asked for. Raises ConfigurationError where the library is not installed."""
        if self.settings.traces.endpoint is None:
            return None
        try:
            from syncer.app.tracing import tracing
        except ImportError as error:
            raise ConfigurationError(
                f"traces need {error.name}, which is not installed", hint='pip install "syncer[traces]"'
            ) from error
        return tracing(self.settings.traces)

    def looking_session(self) -> Session:
        """Return a new connection to the source for looks, which must not cost it much."""
        return self.source_session(settings=LOOKING_SETTINGS)

    def source_session(self, *, any_server: bool = False, settings: Mapping[str, str] = SOURCE_SETTINGS) -> Session:
        """Return a new connection to the source; to a standby only where `any_server` will do."""
        return Session(
            self.settings.source.url.get_secret_value(),
            setting="source.url",
            settings=settings,
            unavailable=SourceUnavailable,
            on_connect=(lambda _: None) if any_server else refuse_standby,
        )

    def state_session(self) -> Session:
        """Return a new connection to the state database, whatever is in it."""
        return Session(
            self.settings.state_url.get_secret_value(),
            setting=self.settings.state_setting,
            settings=STATE_SETTINGS,
            unavailable=StateUnavailable,
        )

    def blueprint(self, name: str, session: Session | None = None) -> Blueprint:
        """Read the catalogue, and return what the pipeline comes to; session: of the source, left open."""
        if session is None:
            session = self.source_session()
            try:
                return self.blueprint(name, session)
            finally:
                session.close()
        settings = self.settings.pipelines[name]
        table = pipeline_table(session, name, settings)
        fields = pipeline_fields(session, name, settings, table)
        feeds = pipeline_feeds(session, name, settings, table, fields)
        routing = pipeline_routing(session, name, settings, table)
        vectors = pipeline_vectors(name, settings, fields, lambda: self.embedder.dims)
        model = self.embedder.description if settings.embedding else None
        transform = self.transform(name)
        made = transform.description if transform else None
        return draw_up(name, settings, self.settings.alias(name), table, feeds, fields, vectors, model, made, routing)

    def transform(self, name: str) -> LoadedTransform | None:
        """Load the pipeline's transform, if it has one, for as long as the process lasts; see `load_transform`."""
        reference = self.settings.pipelines[name].transform
        if reference is None:
            return None
        found = self._transforms.get(reference)
        loaded = found or load_transform(reference, Path.cwd(), setting=f"pipelines.{name}.transform")
        return self._transforms.setdefault(reference, loaded)

    def pipeline(self, name: str, *, with_model: bool = False) -> Pipeline:
        """Return a pipeline, ready to run. Safe for several threads: they share clients and a model.

        with_model: its model is loaded too, if it has one; else that waits for a text without a vector.
        """
        with self._building:
            plan = self.blueprint(name)
            if with_model and plan.vectors:
                self.embedder.load()
                prove_pieces(self.embedder, plan)
            return self.build(plan)

    def build(self, plan: Blueprint) -> Pipeline:
        """Return the pipeline of a blueprint."""
        store, client = self.store, self.elasticsearch
        loaded = self.transform(plan.name)
        self.begun = True
        timeout = self.settings.elasticsearch.request_timeout
        return Pipeline(
            name=plan.name,
            alias=self.settings.alias(plan.name),
            fingerprint=plan.fingerprint,
            reader=lambda: source_reader(plan, self.source_session(), self.settings.state.schema_),
            embedding=self._embedding(plan) if plan.vectors else None,
            transform=loaded.transform if loaded else None,
            routed_by_others=plan.routing is not None,
            sink=lambda index: ElasticSink(client, write_alias(index), wait_seconds=min(10.0, timeout / 3)),
            sides=lambda index: self._sides(plan, index),
            indices=ElasticIndices(client, plan.mapping, plan.index),
            lifecycle=self.lifecycle(plan.settings),
            store=store,
            clock=self._clock,
            executor=self._executor,
            telemetry=Measures(*(measure(plan.name) for measure in self.measures)),
            shared_reads=self._shared_reads,
            wakeups=self._wakeups(plan),
            limits=_limits(plan.settings),
            definition=plan.definition,
            grows_from=plan.grows_from,
            on_change=OnChange(plan.settings.on_change),
            retention=Retention(plan.settings.retention.indices, timedelta(seconds=plan.settings.retention.age)),
            recorded=lambda job: by_itself(self, self._clock, plan.name, job),
        )

    def lifecycle(self, settings: PipelineSettings) -> ElasticLifecycle:
        """Return what lets a pipeline's indices age."""
        return ElasticLifecycle(self.elasticsearch, _phases(settings.lifecycle))

    def searcher(self, name: str, secret: bytes | None = None) -> ElasticSearcher:
        """Return what searches the pipeline's index; secret: of cursors."""
        searched = self.searched(name)
        embed = lru_cache(_QUERIES_KEPT)(self.embedder.embed_query) if searched.vectors else None
        return ElasticSearcher(self.elasticsearch, searched, embed, self._clock, secret)

    def async_searcher(
        self,
        searched: Searched,
        client: AsyncClient,
        embed: Callable[[str], Awaitable[bytes]] | None,
        secret: bytes | None = None,
    ) -> AsyncElasticSearcher:
        """Return what searches from an event loop; embed: queries, if `searched` has vectors. secret: of cursors."""
        return AsyncElasticSearcher(client, searched, embed, self._clock, secret)

    def searched(self, name: str) -> Searched:
        """Return what of a pipeline searches know; reads the catalogue."""
        plan = self.blueprint(name)
        return Searched(
            self.settings.alias(name), plan.fields, plan.vectors, embedding=plan.fingerprint.get("embedding")
        )

    def close(self) -> None:
        """Disconnect from everything; told to stop, do not wait for what still hangs in a call."""
        stopping = self._clock.stopping()
        self._executor.shutdown(wait=not stopping, cancel_futures=stopping)
        for name in ("store", "elasticsearch", "history", "vector_cache", "tracing"):
            if self.__dict__.get(name) is not None:
                self.__dict__[name].close()

    @property
    def _connection(self) -> ElasticConnection:
        of = self.settings.elasticsearch
        return ElasticConnection(
            hosts=of.hosts,
            cloud_id=of.cloud_id,
            api_key=of.api_key.get_secret_value() if of.api_key else None,
            username=of.username,
            password=of.password.get_secret_value() if of.password else None,
            ca_certs=str(of.ca_certs) if of.ca_certs else None,
            certificate_fingerprint=of.certificate_fingerprint,
            verify_certs=of.verify_certs,
            request_timeout_seconds=of.request_timeout,
        )

    @property
    def _state_setting(self) -> str:
        return "state.url" if self.settings.state.url else "source.url"

    def _embedding(self, plan: Blueprint) -> Embedding:
        chunks = {vector.name: vector.chunks for vector in plan.vectors if vector.chunks}
        return Embedding(self.embedder, self.vector_cache, chunks, unit=self.settings.embedding.normalise)

    def _wakeups(self, plan: Blueprint) -> PostgresWakeups | None:
        if not plan.settings.poll.wakes:
            return None
        return PostgresWakeups(self.listener, [table for feed in plan.feeds for table in feed.tables])

    def _sides(self, plan: Blueprint, index: str) -> Sides:
        digests = PostgresDigests(self.source_session, plan.table, plan.fields, plan.routing)
        session = self.source_session()

        def close() -> None:
            digests.close()
            session.close()

        return Sides(
            source=digests,
            index=ElasticDigests(self.elasticsearch, index),
            documents=PostgresDocuments(session, plan.table, plan.fields, plan.vectors, plan.routing),
            close=close,
        )


def _limits(settings: PipelineSettings) -> Limits:
    return Limits(
        poll=PollLimits(
            batch_rows=settings.poll.batch_rows,
            margin=timedelta(seconds=settings.poll.margin),
            deferred_keys=max(10_000, 10 * settings.poll.batch_rows),
        ),
        interval_seconds=settings.poll.interval,
        rewind=timedelta(seconds=settings.poll.rewind),
        rejections=settings.limits.rejections,
        delete_ratio=settings.limits.delete_ratio,
    )


def _phases(settings: LifecycleSettings | None) -> LifecyclePhases | None:
    if settings is None:
        return None
    warm, cold = (
        AgedPhase(phase.min_age, phase.priority, phase.nodes) if phase else None
        for phase in (settings.warm, settings.cold)
    )
    return LifecyclePhases(settings.hot.priority, warm, cold, settings.delete.min_age)
