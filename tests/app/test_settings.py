"""Loading the configuration file."""

from __future__ import annotations

import traceback
from pathlib import Path
from textwrap import dedent

import pytest

from syncer.app.settings import Settings
from syncer.core.error import ConfigurationError
from syncer.core.vector import Chunks

FIVE_LINES = """
    source: {url: "postgresql://reader:s3cr:et@localhost/shop"}
    elasticsearch: {hosts: http://localhost:9200}
    pipelines:
      articles:
        table: public.articles
"""
#: Everything that this version knows.
ALL = """
    source: {url: "${SOURCE}"}
    state: {url: "${STATE:-}", schema: sync}
    elasticsearch:
      hosts: [https://a:9200, https://b:9200]
      username: elastic
      password: "${PASSWORD}"
      certificate_fingerprint: "AA:%s"
      request_timeout: 5
    embedding: {model: some/model, backend: torch}
    pipelines:
      articles:
        table: public.articles
        key: [tenant, id]
        watermark: changed
        watermark_zone: Europe/Berlin
        soft_delete: deleted_at
        where: "status = 'published'"
        index: {alias: texts, shards: 2, replicas: 0, refresh_interval: 500ms, settings: {codec: best_compression}}
        fields:
          title: {type: text, analyzer: english, keyword: true, autocomplete: true, boost: 3}
          body: {column: content, type: text}
          tags: keyword
          price: {type: scaled_float, options: {scaling_factor: 100}}
          parts: {type: nested, properties: {name: {type: keyword}}}
          published:
        embedding: {field: vector, text: "{title} {{x}} {body}"}
        transform: acme.documents:enrich
        poll: {interval: 200ms, batch_rows: 50, margin: 61m, rewind: 1h}
        limits: {rejections: 0}
        on_change: rebuild
        retention: {indices: 2, age: 14d}
        lifecycle: {warm: {min_age: 7d, nodes: {data: warm}}, delete: {min_age: 60d}}
""" % ":".join(["0f"] * 31)  # noqa: UP031  # the text is full of braces


def load(text: str, env: dict[str, str] | None = None, *, folder: Path) -> Settings:
    path = folder / "syncer.yaml"
    path.write_text(dedent(text))
    return Settings.load(path, env or {})


def refused(text: str, env: dict[str, str] | None = None, *, folder: Path) -> str:
    with pytest.raises(ConfigurationError) as error:
        load(text, env, folder=folder)
    return str(error.value).replace(str(folder), "")


def articles(line: str) -> str:
    return FIVE_LINES + f"        {line}\n"


def test_five_lines_are_enough(tmp_path: Path) -> None:
    """Whatever has a sensible default may be left out."""
    settings = load(FIVE_LINES, folder=tmp_path)
    pipeline = settings.pipelines["articles"]
    assert settings.state_url == settings.source.url
    assert settings.alias("articles") == "articles"
    assert (settings.state.schema_, pipeline.watermark, pipeline.key, pipeline.fields) == (
        "syncer",
        "updated_at",
        None,
        None,
    )
    assert (pipeline.poll.interval, pipeline.poll.margin, pipeline.poll.rewind) == (1, 2, 900)
    assert (pipeline.on_change, pipeline.retention.indices, pipeline.retention.age) == ("refuse", 1, 7 * 86_400)


def test_every_setting_is_read(tmp_path: Path) -> None:
    """Values end where they belong, in the units that the code uses."""
    env = {"SOURCE": "postgresql://a@b/c", "PASSWORD": "p: {#'\"x"}
    settings = load(ALL, env, folder=tmp_path)
    elastic, pipeline = settings.elasticsearch, settings.pipelines["articles"]
    assert elastic.hosts == ("https://a:9200", "https://b:9200")
    assert elastic.password is not None
    assert elastic.password.get_secret_value() == "p: {#'\"x"
    assert elastic.certificate_fingerprint == "aa" + "0f" * 31
    assert elastic.request_timeout == 5
    assert settings.state_url.get_secret_value() == "postgresql://a@b/c"
    assert settings.alias("articles") == "texts"
    assert pipeline.key == ("tenant", "id")
    assert (pipeline.poll.interval, pipeline.poll.margin, pipeline.poll.rewind) == (0.2, 3660, 3600)
    assert pipeline.index.refresh_interval == "500ms"
    assert pipeline.fields is not None
    assert pipeline.fields["tags"].type == "keyword"
    assert pipeline.fields["published"].type is None
    assert pipeline.fields["body"].column == "content"
    assert pipeline.transform == "acme.documents:enrich"
    assert pipeline.on_change == "rebuild"
    assert (pipeline.retention.indices, pipeline.retention.age) == (2, 14 * 86_400)
    assert pipeline.lifecycle is not None
    assert pipeline.lifecycle.warm is not None
    assert (pipeline.lifecycle.warm.min_age, pipeline.lifecycle.warm.nodes) == (7 * 86_400, {"data": "warm"})
    assert (pipeline.lifecycle.cold, pipeline.lifecycle.delete.min_age) == (None, 60 * 86_400)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("watermrk: x", "line 7: pipelines.articles.watermrk: unknown setting; did you mean watermark?"),
        ("relations: {a: {table: t, on: {}}}", "pipelines.articles.relations.a.on: must not be empty"),
        (
            "relations: {a: {table: t, on: {b: c}, oder_by: d}}",
            "relations.a.oder_by: unknown setting; did you mean order",
        ),
        ("relations: {a: {table: t, on: {b: c}, limit: 1}}", "relations.a.limit: is for a relation to many rows"),
        ("relations: {a: {table: t, on: {b: c}, order_by: d}}", "relations.a.order_by: is for a relation to many rows"),
        (
            "relations: {a: {table: t, on: {b: c}, through: [{tabel: x}]}}",
            "a.through[0].tabel: unknown setting; did you",
        ),
        ("relations: {a: {table: t, on: {b: c}, relations: {d: {}}}}", "relations.a.relations.d.table: is missing"),
        ("relations: {a.b: {table: t, on: {b: c}}}", "the name of a relation must not be empty, nor hold a dot"),
        (
            "relations: {a: {table: t, on: {b: c}, watermark_zone: Europe/Berlin}}",
            "pipelines.articles.poll.margin: must be 61m or more: watermark_zone Europe/Berlin",
        ),
        ("fields: {a: {relation: b, aggregate: most}}", "fields.a.aggregate: must be 'count', 'min', 'max', 'sum'"),
        ("joins: {}", "pipelines.articles.joins: unknown setting; there is: embedding,"),
        ("poll: {intervall: 1s}", "pipelines.articles.poll.intervall: unknown setting; did you mean interval?"),
        ("fields: {a: {boots: 2}}", "pipelines.articles.fields.a.boots: unknown setting; did you mean boost?"),
        ("poll: {interval: soon}", "pipelines.articles.poll.interval: must be a duration such as 200ms"),
        ("poll: {interval: true}", "pipelines.articles.poll.interval: must be a duration"),
        ("poll: {batch_rows: 0}", "pipelines.articles.poll.batch_rows: must be greater than or equal to 1"),
        ("transform: documents.enrich", "pipelines.articles.transform: must be module:function, for example"),
        ("transform: documents.py:enrich()", "pipelines.articles.transform: must be module:function, for example"),
        ("on_change: ignore", "pipelines.articles.on_change: must be 'refuse' or 'rebuild'"),
        ("retention: {age: 7days}", "pipelines.articles.retention.age: must be a duration"),
        ("index: {shards: many}", "pipelines.articles.index.shards: must be a valid integer"),
        ("index: {alias: Big}", "pipelines.articles.index.alias: must be lowercase"),
        ("index: {alias: 'a b,c'}", "pipelines.articles.index.alias: must not hold ' ' ','"),
        ("index: {alias: _a}", "pipelines.articles.index.alias: must not be empty, begin with"),
        (f"index: {{alias: {'é' * 101}}}", "pipelines.articles.index.alias: must not be longer than 200 bytes"),
        ("index: {settings: {index: {number_of_shards: 2}}}", "number_of_shards is set by index.shards"),
        ("index: {settings: {translog.durability: async}}", "translog.durability is kept at what the protocol needs"),
        ("index: {settings: {index.lifecycle.name: logs}}", "lifecycle.name is set by lifecycle"),
        ("lifecycle: {warm: {readonly: {}}}", "lifecycle.warm.readonly: would refuse the changes that syncer follows"),
        ("lifecycle: {hot: {rollover: {}}}", "lifecycle.hot.rollover: would begin an index that syncer does not know"),
        ("lifecycle: {warm: {shrink: {}}}", "lifecycle.warm.shrink: would put an index in place that syncer does not"),
        ("lifecycle: {warm: {forcemerge: {}}}", "lifecycle.warm.forcemerge: is for an index that nobody writes to"),
        ("lifecycle: {cold: {number_of_replicas: 0}}", "number_of_replicas: is set by index.replicas"),
        ("lifecycle: {frozen: {}}", "lifecycle.frozen: would put an index in place that nobody can write to"),
        ("lifecycle: {cold: {min_age: 1d}, warm: {}}", "lifecycle.cold.min_age: must not be less than warm.min_age"),
        ("lifecycle: {warm: {nodes: {a: b}}, cold: {}}", "lifecycle.cold.nodes: is needed beside warm.nodes"),
        ("lifecycle: {delete: {min_age: 1d}}", "lifecycle.delete.min_age: must not be less than retention.age"),
        ("watermark_zone: Mars/Olympus", "pipelines.articles.watermark_zone: is not a time zone"),
        ("watermark_zone: Europe/Berlin", "pipelines.articles.poll.margin: must be 61m or more"),
        ("table: 5", "line 7: pipelines.articles.table stands here a second time"),
        ("key: 5", "pipelines.articles.key: must be a text or a list"),
        ("key: []", "pipelines.articles.key: must not be empty"),
        ("fields: {}", "pipelines.articles.fields: must not be empty"),
        ("fields: {a: {type: long, keyword: true}}", "keyword is for fields of type text, not long"),
        ("fields: {a: {type: text, dims: 3}}", "dims is for fields of type dense_vector, not text"),
        ("fields: {a: {type: text, options: {analyzer: x}}}", "analyzer is a setting of its own"),
        ("embedding: {text: plain}", "pipelines.articles.embedding.text: names no field"),
        ("embedding: {text: '{a'}", "pipelines.articles.embedding.text: has a brace without its partner"),
        ("embedding: {text: '{a!r}'}", "pipelines.articles.embedding.text: may hold only field names"),
        ("where: 2024-01-01", "pipelines.articles.where: must be text: put it in quotes"),
        ("5: x", "line 7: a setting's name must be text: quote it"),
        ("x: *y", "line 7: a text that begins with * must be quoted"),
        ("x: !y", "line 7: a text that begins with ! must be quoted"),
        ("x: [", "line 8:"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_its_remedy(line: str, said: str, tmp_path: Path) -> None:
    """One look at the message is enough to mend the file."""
    assert said in refused(articles(line), folder=tmp_path)


def test_a_text_may_name_what_is_in_rows(tmp_path: Path) -> None:
    """Which columns they have, the catalogue tells; other names must be those of fields."""
    lines = """
        fields: {by: {relation: author}}
        relations: {author: {table: a, on: {b: c}}}
        embedding: {text: "%s"}
    """
    load(FIVE_LINES.rstrip() + lines % "{by.name} {author.name}", folder=tmp_path)
    for name in ("author", "title.name"):
        said = f"pipelines.articles.embedding.text: {name} is not among the fields (by)"
        assert said in refused(FIVE_LINES.rstrip() + lines % f"{{{name}}}", folder=tmp_path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{}", "elasticsearch: give either hosts or cloud_id"),
        ("{hosts: localhost}", "elasticsearch.hosts[0]: must be a URL with scheme, host and port"),
        ("{hosts: 'http://localhost'}", "elasticsearch.hosts[0]: must be a URL with scheme, host and port"),
        ("{hosts: 'http://a:9200', cloud_id: x}", "elasticsearch: give either hosts or cloud_id"),
        ("{hosts: 'http://u:hunter2@a:9200'}", "elasticsearch.hosts[0]: must not hold a user or password"),
        ("{hosts: 'http://a:9200', username: u}", "elasticsearch: username and password belong together"),
        ("{cloud_id: x, api_key: k, username: u, password: p}", "elasticsearch: give either api_key or username"),
        ("{cloud_id: x, password: 123}", "elasticsearch.password: must be text: put it in quotes"),
        ("{cloud_id: x, certificate_fingerprint: abc}", "elasticsearch.certificate_fingerprint: must be a SHA-256"),
    ],
)
def test_a_contradictory_connection_is_refused(line: str, said: str, tmp_path: Path) -> None:
    """There is one way in, and it is complete."""
    text = FIVE_LINES.replace("elasticsearch: {hosts: http://localhost:9200}", f"elasticsearch: {line}")
    message = refused(text, folder=tmp_path)
    assert said in message
    assert "hunter2" not in message


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Nobody mends a file one run at a time."""
    message = refused(articles("watermrk: x") + "        poll: {interval: x}\n    sources: {}\n", folder=tmp_path)
    assert message.splitlines()[0] == "/syncer.yaml:"
    assert [line.split(":")[0] for line in message.splitlines()[1:]] == ["  line 7", "  line 8", "  line 9"]


def test_what_is_required_is_named(tmp_path: Path) -> None:
    """A file without a section says which."""
    message = refused("pipelines: {articles: {}}", folder=tmp_path)
    for name in ("source", "elasticsearch", "pipelines.articles.table"):
        assert f"{name}: is missing" in message


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("{query: SELECT 1, key: id}", "articles.feeds: is missing"),
        ("{query: SELECT 1, feeds: {a: {}}}", "articles.key: is missing"),
        ("{table: a, query: SELECT 1, key: id, feeds: {a: {}}}", "articles.query: stands in place of table"),
        ("{table: a, feeds: {a: {}}}", "articles.key: is missing"),
        ("{query: SELECT 1, key: id, feeds: {a: {}}, watermark: b}", "articles.watermark: does not go with feeds"),
        ("{query: SELECT 1, key: id, feeds: {a: {}}, watermark_zone: UTC}", "articles.watermark_zone: does not go"),
        ("{query: SELECT 1, key: id, feeds: {a: {}}, routing: b}", "articles.routing: does not go with feeds"),
        ("{table: a, key: id, feeds: {a: {}}, relations: {b: {table: b, on: {a: b}}}}", "articles.relations: does not"),
        ("{query: SELECT 1, key: id, feeds: {a: {watermark_zone: Europe/Berlin}}}", "poll.margin: must be 61m or more"),
        ("{query: SELECT 1, key: id, feeds: {a: {column: b}}}", "feeds.a.column: unknown setting"),
    ],
)
def test_a_query_has_feeds_in_place_of_a_watermark(settings: str, said: str, tmp_path: Path) -> None:
    """And so has a view; what is of a table's own rows does not go with them."""
    text = FIVE_LINES.partition("      articles:")[0] + f"      articles: {settings}\n"
    assert said in refused(text, folder=tmp_path)


def test_two_pipelines_cannot_feed_one_alias(tmp_path: Path) -> None:
    """Each would remove the other's documents."""
    text = FIVE_LINES + "      other: {table: b, index: {alias: articles}}\n"
    assert "pipelines.other.index.alias: is that of pipeline articles too" in refused(text, folder=tmp_path)


def test_the_name_of_a_pipeline_must_do_for_an_alias(tmp_path: Path) -> None:
    """Where no alias is given, the message says which setting gives one."""
    message = refused(FIVE_LINES.replace("articles:", "Articles:"), folder=tmp_path)
    assert "pipelines.Articles.index.alias: must be lowercase" in message
    assert "its name may hold" in refused(FIVE_LINES.replace("articles:", "'a b':"), folder=tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, empty and unreadable files are mistakes of configuration."""
    with pytest.raises(ConfigurationError, match=r"there is no configuration file .*nowhere\.yaml"):
        Settings.load(tmp_path / "nowhere.yaml", {})
    assert "holds no settings" in refused("", folder=tmp_path)
    assert "holds no settings" in refused("- a", folder=tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe4")
    with pytest.raises(ConfigurationError, match="it is not UTF-8"):
        Settings.load(tmp_path / "latin.yaml", {})


def test_an_unset_variable_names_itself_and_its_setting(tmp_path: Path) -> None:
    """The values of other variables are not shown."""
    message = refused(ALL, {"PASSWORD": "hunter2"}, folder=tmp_path)
    assert "line 2: source.url: environment variable SOURCE is not set" in message
    assert "hunter2" not in message


def test_variables_are_replaced_in_values_only_and_can_be_escaped(tmp_path: Path) -> None:
    """No value can change the structure of the file."""
    env = {"URL": "postgresql://u:p@h/d", "MODEL": "m\npipelines: {}", "EMPTY": "", "SHARDS": "3"}
    settings = load(
        """
        source: {url: "${URL}"}
        state: {url: "${EMPTY}"}
        elasticsearch: {cloud_id: "${CLOUD:-a:b}", api_key: "${EMPTY:-key}"}
        embedding: {model: "${MODEL}"}
        pipelines:
          a: {table: t, where: "x <> '$${URL}' and y = '$1'", index: {shards: "${SHARDS}"}}
        """,
        env,
        folder=tmp_path,
    )
    assert settings.state.url is None
    assert settings.embedding.model == "m\npipelines: {}"
    assert settings.elasticsearch.cloud_id == "a:b"
    assert settings.elasticsearch.api_key is not None
    assert settings.elasticsearch.api_key.get_secret_value() == "key"
    assert settings.pipelines["a"].where == "x <> '${URL}' and y = '$1'"
    assert settings.pipelines["a"].index.shards == 3


def test_a_broken_variable_is_refused(tmp_path: Path) -> None:
    """`${1}` is no variable, and not silently text either."""
    assert "`${` begins no variable" in refused(FIVE_LINES.replace("s3cr:et", "${1}"), folder=tmp_path)


def test_an_anchor_may_be_used_again(tmp_path: Path) -> None:
    """Pipelines share settings by YAML's own means; a later mistake has the line of what was shared."""
    text = FIVE_LINES + "        poll: &poll {interval: 5}\n      b: {table: b, poll: *poll}\n"
    assert load(text, folder=tmp_path).pipelines["b"].poll.interval == 5


@pytest.mark.parametrize(
    "broken",
    [
        "state: {url: 5}",
        "state: {url: [hunter2]}",
        "state: {url:hunter2}",
        "state: {url: *hunter2}",
        "state: {url: !hunter2}",
        "state: {url: hunter2, url: hunter2}",
        "state: {url: 'hunter2}",
        "state: {url: hunter2, schema: X}",
        "sate: hunter2",
    ],
)
def test_no_error_shows_a_secret(broken: str, tmp_path: Path) -> None:
    """Neither the message nor the traceback quotes a value, wherever the mistake is."""
    path = tmp_path / "syncer.yaml"
    path.write_text(dedent(FIVE_LINES.replace("s3cr:et", "hunter2") + f"    {broken}\n"))
    with pytest.raises(ConfigurationError) as error:
        Settings.load(path, {})
    shown = "".join(traceback.format_exception(error.value)) + repr(error.value)
    assert "hunter2" not in shown


def test_settings_do_not_show_their_secrets(tmp_path: Path) -> None:
    """They may be printed and logged."""
    env = {"SOURCE": "postgresql://a:hunter2@b/c", "PASSWORD": "hunter3", "STATE": "postgresql://a:hunter%34@b/c"}
    settings = load(ALL, env, folder=tmp_path)
    assert "hunter" not in f"{settings}{settings!r}{settings.model_dump()}{settings.model_dump_json()}"
    assert {"hunter2", "hunter3", "hunter4", "hunter%34"} <= set(settings.secrets())


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("{backend: http}", r"embedding\.url: is needed with the backend http"),
        ("{url: 'http://h/embed'}", r"embedding\.url: goes with http alone"),
        ("{backend: http, url: 'http://h:80/'}", r"embedding\.url: must end in /embed .*or /v1/embeddings"),
        ("{backend: http, url: 'http://u:p@h/embed'}", r"embedding\.url: must not hold a user or password"),
        ("{quantisation: int8}", r"embedding\.quantisation: must be float32 or bfloat16 with torch"),
        ("{backend: static, quantisation: int8}", r"embedding\.quantisation: must be float32 with static"),
    ],
)
def test_a_model_has_the_settings_of_its_backend(model: str, told: str, tmp_path: Path) -> None:
    """The others would be passed over."""
    path = tmp_path / "syncer.yaml"
    path.write_text(
        f"source: {{url: 'postgresql://h/d'}}\nelasticsearch: {{hosts: 'http://h:9200'}}\nembedding: {model}\n"
        "pipelines: {articles: {table: articles}}\n"
    )
    with pytest.raises(ConfigurationError, match=told):
        Settings.load(path, {})


EMBEDDING = """
    source: {url: 'postgresql://h/d'}
    elasticsearch: {hosts: 'http://h:9200'}
    embedding: {normalise: %s}
    pipelines:
      articles:
        table: articles
        fields: {title: text, body: text}
        embedding: %s
"""


def test_a_pipeline_may_have_several_embeddings(tmp_path: Path) -> None:
    """One section, or a list of them."""
    one = load(EMBEDDING % ("true", "{text: '{title}', similarity: dot_product, chunk: {}}"), folder=tmp_path)
    (of,) = one.pipelines["articles"].embeddings.values()
    assert of.chunk is not None
    assert of.chunk.chunks == Chunks(256, 32)
    several = "[{text: '{title}'}, {text: '{body}', field: b, chunk: {tokens: 64, overlap: 0, pool: mean}}]"
    found = load(EMBEDDING % ("true", several), folder=tmp_path).pipelines["articles"].embeddings
    assert [(place, of.field) for place, of in found.items()] == [
        (("embedding", 0), "embedding"),
        (("embedding", 1), "b"),
    ]
    assert load(EMBEDDING % ("true", ""), folder=tmp_path).pipelines["articles"].embeddings == {}


@pytest.mark.parametrize(
    ("normalise", "embedding", "said"),
    [
        ("true", "[{text: '{title}'}, {text: '{body}'}]", "embedding[1].field: embedding is a field already"),
        ("true", "[{text: '{title}', field: body}]", "embedding[0].field: body is a field already"),
        ("true", "[{text: '{title}'}, {text: '{x}', field: b}]", "embedding[1].text: x is not among the fields"),
        ("true", "[{text: '{title}'}, {text: b}]", "embedding[1].text: names no field"),
        ("true", "[{text: '{title}'}, {txt: b}]", "embedding[1].txt: unknown setting; did you mean text?"),
        ("true", "[]", "embedding: must not be empty"),
        (
            "true",
            "{text: '{title}', chunk: {tokens: 64}}",
            "chunk.overlap: must be less than half of tokens, which is 64; ",
        ),
        ("true", "{txt: b}", "embedding.txt: unknown setting; did you mean text?"),
        ("true", "{text: '{title}', chunk: {token: 3}}", "chunk.token: unknown setting; did you mean tokens?"),
        (
            "true",
            "{text: '{title}', chunk: {overlap: 128}}",
            "chunk.overlap: must be less than half of tokens, which is",
        ),
        ("true", "{text: '{title}', chunk: {pool: max}}", "chunk.pool: must be 'mean'"),
        ("true", "{text: '{title}', similarity: near}", "embedding.similarity: must be 'cosine', "),
        (
            "false",
            "{text: '{title}', similarity: dot_product}",
            "embedding.similarity: must be another one where",
        ),
    ],
)
def test_a_mistake_in_an_embedding_is_named_with_its_number(
    normalise: str, embedding: str, said: str, tmp_path: Path
) -> None:
    """Where there is a list of them."""
    assert f"pipelines.articles.{said}" in refused(EMBEDDING % (normalise, embedding), folder=tmp_path).replace(
        "embedding.chunk", "chunk"
    )


def test_a_list_is_not_called_empty_for_what_is_wrong_in_it(tmp_path: Path) -> None:
    """The mistake alone is told."""
    said = refused(EMBEDDING % ("true", "[{text: '{title}', similarity: near}]"), folder=tmp_path)
    assert "embedding[0].similarity: must be 'cosine'" in said
    assert "must not be empty" not in said


@pytest.mark.parametrize("size", ["-1", "10X", "big"])
def test_a_size_is_written_with_its_unit(size: str, tmp_path: Path) -> None:
    """As the remedy says."""
    model = "embedding: {cache: {size: %s}}" % size  # noqa: UP031
    said = refused(FIVE_LINES + f"    {model}\n", folder=tmp_path)
    assert "embedding.cache.size: must be a size such as 10GB or 500MiB" in said
