"""Every setting there is, with its default and its meaning; `docs/configuration.md` is generated from these models."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ByteSize, Field, SecretStr, ValidationError, model_validator

from syncer.app.alert_settings import AlertSettings
from syncer.app.interpolation import interpolate
from syncer.app.pipeline_settings import PipelineSettings
from syncer.app.secret import forms, hidden_parts, placed_secrets
from syncer.app.serve_settings import ServeSettings
from syncer.app.setting_type import (
    BLANK_IS_NONE,
    DatabaseUrl,
    Duration,
    EmbeddingUrl,
    Fingerprint,
    Host,
    Misplaced,
    Secret,
    Section,
    Text,
    index_name,
    listed,
)
from syncer.app.settings_error import explain
from syncer.app.trace_settings import TraceSettings
from syncer.app.yaml_file import read_yaml, readable
from syncer.core.error import ConfigurationError


class SourceSettings(Section):
    """The database that holds the tables."""

    url: DatabaseUrl = Field(min_length=1)
    """`postgresql://user:password@host:5432/database`, the primary, not through a transaction pooler. Its user needs
    SELECT on the tables, and no more where `state.url` is another database."""


class StateSettings(Section):
    """Where syncer keeps checkpoints, dead letters and cached vectors."""

    url: Annotated[DatabaseUrl | None, BLANK_IS_NONE] = None
    """A Postgres database; left out or empty: the source database."""
    schema_: str = Field(default="syncer", alias="schema", pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    """The schema that `syncer migrate` creates there."""


class ElasticsearchSettings(Section):
    """The cluster that holds the indices: `hosts` or `cloud_id`, and an API key or a user where it asks for one."""

    hosts: Annotated[tuple[Host, ...], BeforeValidator(listed)] = ()
    """URLs with scheme, host and port; one, or a list."""
    cloud_id: Text = None
    """The id of an Elastic Cloud deployment, in place of `hosts`."""
    api_key: Secret = None
    """An encoded API key."""
    username: Text = None
    """With `password`, in place of `api_key`."""
    password: Secret = None
    """The password of `username`."""
    ca_certs: Annotated[Path | None, BLANK_IS_NONE] = None
    """A file with the authority that signed the server's certificate; left out: those the system trusts."""
    certificate_fingerprint: Annotated[Fingerprint | None, BLANK_IS_NONE] = None
    """SHA-256 of the server's certificate in hexadecimal digits, in place of `ca_certs`."""
    verify_certs: bool = True
    """`false` trusts any certificate: for tests."""
    request_timeout: Duration = 30.0
    """How long a request may take."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if bool(self.hosts) == bool(self.cloud_id):
            raise ValueError("give either hosts or cloud_id")
        if self.api_key and (self.username or self.password):
            raise ValueError("give either api_key or username and password")
        if bool(self.username) != bool(self.password):
            raise ValueError("username and password belong together")
        if self.ca_certs and self.certificate_fingerprint:
            raise ValueError("give either ca_certs or certificate_fingerprint")
        return self


class PromptSettings(Section):
    """What a model wants before a text; left out: what its files say, and nothing with `http` and `static`."""

    query: str | None = None
    """Before a text that is searched for: `"query: "` for E5."""
    passage: str | None = None
    """Before a text that is embedded: `"passage: "` for E5."""


class CacheSettings(Section):
    """Vectors that are kept in the state, so that no text is embedded twice; `schedule.prune` keeps to both bounds."""

    # Rejected: a month. A rebuild would embed all the texts again that stand still.
    age: Duration = 180 * 86_400.0
    """One that nothing has wanted for so long goes: its text is gone, or no backfill has met its row."""
    size: ByteSize = ByteSize(10 * 10**9)
    """What all of them may take, `10GB` or `500MiB`: those go first that nothing has wanted for longest. One of 384
    dimensions takes 1.5 kB."""


class ModelSettings(Section):
    """The model that embeds texts. The daemon and `check` load it where a pipeline has `embedding`, others to embed."""

    model: str = Field(default="sentence-transformers/all-MiniLM-L6-v2", min_length=1)
    """A name on the hub, or a folder. Of a name what is in the local cache is taken; if nothing is, the newest. With
    `http` the name that the server knows it by."""
    backend: Literal["torch", "onnx", "openvino", "static", "http"] = "torch"
    """What runs the model: sentence-transformers on `torch`, ONNX Runtime or OpenVINO; `static`: model2vec; `http`: the
    server at `url`. `syncer embed-bench` compares them."""
    quantisation: Literal["float32", "bfloat16", "int8"] = "float32"
    """Fewer digits are faster: `bfloat16` with `torch` and `openvino`, on processors that have it; `int8` with `onnx`
    and `openvino`."""
    normalise: bool = True
    """Scale vectors to length one; `false`: leave them as the model makes them, for one that is trained for the inner
    product. Then `similarity` cannot be `dot_product`."""
    prompts: PromptSettings = PromptSettings()
    cache: CacheSettings = CacheSettings()
    converted: Annotated[Path, BLANK_IS_NONE] = Path("~/.cache/syncer")
    """The folder for models converted to `onnx` or `openvino`, which takes some seconds, once."""
    url: Annotated[EmbeddingUrl | None, BLANK_IS_NONE] = None
    """With `http`: the whole address, which ends in `/embed` (Text Embeddings Inference) or `/embeddings` (servers that
    answer as OpenAI's does)."""
    api_key: Secret = None
    """The key that the server at `url` asks for."""
    revision: Text = None
    """With `http`: tells the model from others that the server had under its name; change it when that changes."""
    dims: int | None = Field(default=None, ge=1, le=4096)
    """With `http`: the length of its vectors; left out, every command that needs it asks the server."""
    request_texts: int = Field(default=32, ge=1, le=2048)
    """With `http`: texts in one request, at most; longer texts go in smaller requests."""
    request_timeout: Duration = 30.0
    """With `http`: how long a request may take."""

    @model_validator(mode="after")
    def _of_the_backend(self) -> Self:
        if self.quantisation not in QUANTISATIONS[self.backend]:
            raise Misplaced("quantisation", f"must be {' or '.join(QUANTISATIONS[self.backend])} with {self.backend}")
        if (self.url is None) == (self.backend == "http"):
            raise Misplaced("url", "is needed with the backend http" if self.url is None else "goes with http alone")
        return self


#: What each backend offers.
QUANTISATIONS = {
    "torch": ("float32", "bfloat16"),
    "onnx": ("float32", "int8"),
    "openvino": ("float32", "bfloat16", "int8"),
    "static": ("float32",),
    "http": ("float32",),
}


class Settings(Section):
    """The whole configuration."""

    source: SourceSettings
    elasticsearch: ElasticsearchSettings
    pipelines: Mapping[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")], PipelineSettings] = Field(
        min_length=1
    )
    """Pipelines by name: letters, digits, `-` and `_`."""
    state: StateSettings = StateSettings()
    embedding: ModelSettings = ModelSettings()
    serve: ServeSettings = ServeSettings()
    traces: TraceSettings = TraceSettings()
    alerts: AlertSettings = AlertSettings()

    @classmethod
    def load(cls, path: Path, env: Mapping[str, str]) -> Self:
        """Read a configuration file. Raises ConfigurationError that names all that is wrong, each with its line."""
        file = read_yaml(path)
        values, problems = interpolate(file.values, env, path.parent)
        if not problems:
            try:
                return cls.model_validate(values)
            except ValidationError as error:
                problems = explain(error, cls)
        found = sorted((file.line(place), readable(place), text) for place, text in problems)
        lines = [f"line {line}: {place}: {text}" if place else f"line {line}: {text}" for line, place, text in found]
        raise ConfigurationError(f"{path}, {lines[0]}" if len(lines) == 1 else f"{path}:\n  " + "\n  ".join(lines))

    @model_validator(mode="after")
    def _aliases(self) -> Self:
        names: dict[str, str] = {}
        for name in self.pipelines:
            alias = self.alias(name)
            try:
                index_name(alias)
            except ValueError as error:
                raise Misplaced(f"pipelines.{name}.index.alias", str(error)) from error
            if alias in names:
                raise Misplaced(f"pipelines.{name}.index.alias", f"is that of pipeline {names[alias]} too: {alias}")
            names[alias] = name
        return self

    @model_validator(mode="after")
    def _similarities(self) -> Self:
        for name, pipeline in self.pipelines.items():
            for place, of in pipeline.embeddings.items():
                if of.similarity == "dot_product" and not self.embedding.normalise:
                    raise Misplaced(
                        ("pipelines", name, *place, "similarity"),
                        "must be another one where embedding.normalise is false: Elasticsearch takes vectors of length "
                        "one alone for dot_product; max_inner_product ranks like it",
                    )
        return self

    @model_validator(mode="after")
    def _tokens(self) -> Self:
        for number, token in enumerate(self.serve.tokens):
            for place, name in enumerate(token.pipelines or ()):
                if name not in self.pipelines:
                    raise Misplaced(("serve", "tokens", number, "pipelines", place), f"there is no pipeline {name}")
        return self

    def alias(self, pipeline: str) -> str:
        """Return the alias that a pipeline is searched under."""
        return self.pipelines[pipeline].index.alias or pipeline

    @property
    def state_url(self) -> SecretStr:
        return self.state.url or self.source.url

    @property
    def state_setting(self) -> str:
        """What the configuration calls that URL."""
        return "state.url" if self.state.url else "source.url"

    def secrets(self) -> Sequence[str]:
        """Return every text that must not be shown to anybody, in all its forms."""
        hidden = [part for _, secret in placed_secrets(self) for part in hidden_parts(secret)]
        of = self.elasticsearch
        if of.username and of.password:
            # As it is sent; a proxy in between may quote it.
            hidden.append(b64encode(f"{of.username}:{of.password.get_secret_value()}".encode()).decode())
        return sorted({form for part in hidden for form in forms(part)})
