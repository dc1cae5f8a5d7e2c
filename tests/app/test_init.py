"""`syncer init` on real databases: what it writes passes `syncer check`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
import yaml

from syncer.app.cli import execute
from syncer.app.commands.init import Wishes, init
from syncer.app.init.question import Question
from syncer.app.invocation import Invocation
from syncer.core.error import ConfigurationError
from tests.conftest import Elastic

#: What every table needs that is as it should be, by its name, its key and its watermark.
SOUND = """
CREATE INDEX ON {table} ({watermark}, {key});
CREATE FUNCTION touch_{number}() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN NEW.{watermark} := {now}; RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION touch_{number}();
"""


class Database:
    """An empty database, and `init` run on it."""

    def __init__(
        self, folder: Path, url: str, elastic: Elastic, suffix: str, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.url, self.file, self.suffix = url, folder / "syncer.yaml", suffix
        self.capture = capture
        self.env = {"SYNCER_SOURCE_URL": url, "ELASTICSEARCH_URL": elastic.url}
        if elastic.password:
            self.env |= {"ELASTICSEARCH_PASSWORD": elastic.password, "ELASTICSEARCH_USERNAME": elastic.username or ""}

    def sql(self, statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statements.replace("articles", f"articles_{self.suffix}").encode())

    def sound(self, table: str, key: str = "id", watermark: str = "updated_at", now: str = "now()") -> None:
        """Give a table the index and the trigger that polls want."""
        self.sql(SOUND.format(table=table, key=key, watermark=watermark, now=now, number=uuid4().hex[:6]))

    def mend(self, said: str) -> None:
        """Run every statement that stands in what was said, one by one, as psql does."""
        statements = re.findall(r"^(?:ALTER|CREATE) (?:[^;$]|\$\$.*?\$\$)+;$", said, re.MULTILINE | re.DOTALL)
        assert statements
        for statement in statements:
            self.sql(statement.replace(f"articles_{self.suffix}", "articles"))

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, standard output and standard error of a command."""
        self.capture.readouterr()
        code = execute([*arguments, "-c", str(self.file)], Invocation(self.env))
        out, err = self.capture.readouterr()
        return code, out, err

    def pipeline(self) -> dict[str, Any]:
        """Return the one that the file holds."""
        (found,) = yaml.safe_load(self.file.read_text())["pipelines"].values()
        assert isinstance(found, dict)
        return found

    def check(self) -> tuple[int, str]:
        """Do what init says comes next; return what `check` says."""
        assert self.run("migrate")[0] == 0
        for name in yaml.safe_load(self.file.read_text())["pipelines"]:
            assert self.run("install-triggers", name)[0] == 0
        code, out, err = self.run("check")
        return code, out + err

    def uncomment(self, pattern: str) -> None:
        """Take the proposals that match: the settings right behind a `#`."""
        lines = self.file.read_text().splitlines()
        taken = [re.sub(r"^( *)#(?=\S| {2})", r"\1", line) if re.search(pattern, line) else line for line in lines]
        self.file.write_text("\n".join(taken))


@pytest.fixture
def database(
    tmp_path: Path, postgres_url: str, elastic: Elastic, capfd: pytest.CaptureFixture[str], logs: None
) -> Database:
    return Database(tmp_path, postgres_url, elastic, uuid4().hex[:8], capfd)


ARTICLES = """
CREATE TABLE authors (id bigint PRIMARY KEY, name text, password_hash text, updated_at timestamptz);
CREATE TABLE articles (
    id bigint PRIMARY KEY, title text NOT NULL, body text, kind text, author_id bigint REFERENCES authors,
    tags text[], found tsvector, api_token text, created_at timestamptz DEFAULT now(), deleted_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE comments (
    id bigint PRIMARY KEY, article_id bigint REFERENCES articles, body text, updated_at timestamptz DEFAULT now()
);
INSERT INTO authors VALUES (1, 'Ann');
INSERT INTO articles (id, title, body, kind, author_id)
    SELECT n, 'title ' || n, repeat('some words ', 30), 'kind ' || n % 3, 1 FROM generate_series(1, 200) AS n;
ANALYZE
"""


def test_what_is_written_passes_check(database: Database) -> None:
    """Of a table that has all it takes; each column has a field that suits it."""
    database.sql(ARTICLES)
    database.sound("articles")
    code, out, err = database.run("init", "--yes")
    assert (code, out) == (0, ""), err
    assert "syncer migrate" in err
    pipeline = database.pipeline()
    assert pipeline["table"] == f"public.articles_{database.suffix}"
    assert (pipeline["watermark"], pipeline["soft_delete"]) == ("updated_at", "deleted_at")
    fields = pipeline["fields"]
    assert fields["title"] == {"type": "text", "keyword": True}
    assert (fields["body"], fields["kind"], fields["tags"]) == ("text", "keyword", "keyword")
    assert fields.keys() & {"deleted_at", "api_token", "found"} == set()
    assert database.check()[0] == 0, database.check()[1]


def test_no_password_is_written_or_shown(database: Database) -> None:
    """The file names the variable, also where an option gave the URL."""
    database.sql(ARTICLES)
    del database.env["SYNCER_SOURCE_URL"]
    code, _, err = database.run("init", "--yes", "--source-url", database.url)
    assert code == 0, err
    assert "export SYNCER_SOURCE_URL=" in err
    assert yaml.safe_load(database.file.read_text())["source"]["url"] == "${SYNCER_SOURCE_URL}"
    assert urlsplit(database.url).netloc not in database.file.read_text() + err
    secret = "postgresql://a:hunter2@127.0.0.1:1/b"
    database.env["SYNCER_SOURCE_URL"] = secret
    code, _, err = database.run("init", "--yes", "--force")
    assert code == 3
    assert "hunter2" not in err
    # What an option holds others see, which is told.
    assert "lists the processes" not in err
    assert "lists the processes" in database.run("init", "--yes", "--force", "--source-url", secret)[2]


def test_every_proposal_can_be_taken(database: Database) -> None:
    """The relations by foreign keys, both ways, and their fields."""
    database.sql(ARTICLES)
    database.sound("articles")
    assert database.run("init", "--yes", "--table", f"articles_{database.suffix}")[0] == 0
    database.uncomment(r"author|comments|relations:")
    relations = database.pipeline()["relations"]
    assert relations["author"]["columns"] == ["id", "name", "updated_at"]
    assert relations["comments"]["on"] == {"id": "article_id"}
    code, said = database.check()
    assert "relations.comments" in said
    # It lacks an index and triggers, and is otherwise as it may be.
    assert (code, "error" in said) == (1, False), said


def test_a_table_without_key_and_watermark_is_refused_with_the_sql_that_mends_it(database: Database) -> None:
    """And then it is followed, and check asks for nothing."""
    database.sql("CREATE TABLE articles (title text, created_at timestamptz DEFAULT now())")
    code, _, err = database.run("init", "--yes")
    assert (code, database.file.exists()) == (2, False)
    assert "no primary key" in err
    assert "no column that seems to be set at every update" in err
    database.mend(err)
    code, _, err = database.run("init", "--yes")
    assert code == 0, err
    assert database.check()[0] == 0, database.check()[1]


def test_what_polls_lack_is_told_with_the_sql_that_mends_it(database: Database) -> None:
    """A watermark without index and trigger can be followed, and check would warn."""
    database.sql("CREATE TABLE articles (id int PRIMARY KEY, title text, last_update timestamptz DEFAULT now())")
    code, _, err = database.run("init", "--yes")
    assert code == 0, err
    assert database.pipeline()["watermark"] == "last_update"
    assert database.check()[0] == 1
    database.mend(err)
    assert database.check()[0] == 0, database.check()[1]


def test_a_watermark_without_zone_gets_one(database: Database) -> None:
    """That of the server's sessions; where its clocks are set back, with the margin that this takes."""
    database.sql("CREATE TABLE articles (id int PRIMARY KEY, title text, updated_at timestamp DEFAULT now())")
    database.sound("articles")
    name = database.url.rpartition("/")[2].partition("?")[0]
    database.sql(f"ALTER DATABASE \"{name}\" SET TimeZone = 'Europe/Berlin'")
    code, _, err = database.run("init", "--yes")
    assert code == 0, err
    assert "Europe/Berlin" in err
    assert database.pipeline()["watermark_zone"] == "Europe/Berlin"
    assert database.check()[0] == 0, database.check()[1]


def test_partitioned_tables_and_unique_keys(database: Database) -> None:
    """The parent is followed, not its partitions; without primary key, by what is unique and never NULL."""
    database.sql(
        """
        CREATE TABLE articles (
            id bigint NOT NULL, region text NOT NULL, title text, updated_at timestamptz NOT NULL DEFAULT now(),
            UNIQUE (id, region)
        ) PARTITION BY LIST (region);
        CREATE TABLE articles_north PARTITION OF articles FOR VALUES IN ('north');
        CREATE TABLE articles_rest PARTITION OF articles DEFAULT;
        """
    )
    database.sound("articles", "id, region")
    assert database.run("init", "--yes")[0] == 0
    assert database.pipeline()["key"] == ["id", "region"]
    assert database.pipeline()["table"] == f"public.articles_{database.suffix}"
    assert database.check()[0] == 0, database.check()[1]


def test_names_are_quoted_wherever_they_stand(database: Database) -> None:
    """In YAML, in SQL, and from what the configuration interpolates."""
    database.sql(
        """
        CREATE TABLE "x""; drop table y; --" (
            "on" int PRIMARY KEY, "no: #1" text, "${HOME}" text, "line
break" text, "updated_at" timestamptz NOT NULL DEFAULT now()
        );
        INSERT INTO "x""; drop table y; --" VALUES (1, 'a', 'b', 'c');
        """
    )
    code, _, err = database.run("init", "--yes")
    assert code == 0, err
    (name,) = yaml.safe_load(database.file.read_text())["pipelines"]
    text = database.file.read_text().replace(name, f"{name}-{database.suffix}")
    database.file.write_text(text)
    assert {"on", "no: #1", "${HOME}", "line\nbreak"} <= database.pipeline()["fields"].keys()
    code, said = database.check()
    assert (code, "error" in said) == (1, False), said


def test_nothing_is_overwritten_unless_it_is_forced(database: Database) -> None:
    """And `-` writes to standard output alone."""
    database.sql(ARTICLES)
    database.file.write_text("mine")
    code, _, err = database.run("init", "--yes")
    assert (code, database.file.read_text()) == (2, "mine")
    assert "--force" in err
    code, out, _ = database.run("init", "--yes", "--output", "-")
    assert (code, database.file.read_text()) == (0, "mine")
    assert "pipelines" in yaml.safe_load(out)
    assert database.run("init", "--yes", "--force")[0] == 0
    assert database.file.read_text() != "mine"


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (["init"], {}, "there is no terminal"),
        (["init", "--yes"], {"SYNCER_SOURCE_URL": ""}, "no database is named"),
        (["init", "--yes", "--table", "artcles"], {}, "there is no table artcles"),
        (["init", "--yes"], {"ELASTICSEARCH_URL": "http://localhost"}, "must be a URL with scheme, host and port"),
        (["init", "--yes", "--output", "/nowhere/syncer.yaml"], {}, "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_2(arguments: list[str], env: dict[str, str], said: str, database: Database) -> None:
    """With what to do, and without a file."""
    database.sql(ARTICLES)
    database.env |= env
    code, _, err = database.run(*arguments)
    assert (code, database.file.exists()) == (2, False)
    assert said in err
    assert "→" in err or "must be" in err


def test_an_empty_database_is_told(database: Database) -> None:
    """So are those of syncer's own tables alone."""
    code, _, err = database.run("init", "--yes")
    assert code == 2
    assert "holds no tables" in err


def test_a_search_that_is_away_is_told_and_the_file_is_written(database: Database) -> None:
    """Only how many nodes there are is not known then."""
    database.sql(ARTICLES)
    database.env["ELASTICSEARCH_URL"] = "http://127.0.0.1:1"
    code, _, err = database.run("init", "--yes")
    assert code == 0
    assert "Elasticsearch was not asked" in err
    assert "index" not in database.pipeline()
    assert "ca_certs" not in database.file.read_text()
    database.env["ELASTICSEARCH_URL"] = "https://127.0.0.1:1"
    assert database.run("init", "--yes", "--force")[0] == 0
    assert "  #ca_certs: " in database.file.read_text()


def answering(answers: Sequence[tuple[str, str]], asked: list[str]) -> Callable[[Question], str]:
    """Answer each question by a word in it; the others as they are by default."""

    def ask(question: Question) -> str:
        asked.append(question.text)
        return next((answer for word, answer in answers if word in question.text), question.default)

    return ask


def test_answers_decide(database: Database) -> None:
    """Which tables, by which column, and whether texts are embedded."""
    database.sql(ARTICLES)
    asked: list[str] = []
    ask = answering(
        [("Which ones", f"comments, articles_{database.suffix}"), ("meaning", "y"), ("set?", "created_at")], asked
    )
    wishes = Wishes(database.url, None, [], embed=False, output=database.file, force=False)
    assert init(Invocation(database.env), wishes, yes=False, ask=ask) == 0
    settings = yaml.safe_load(database.file.read_text())
    comments, articles = settings["pipelines"].values()
    assert (comments["table"], comments["watermark"]) == ("public.comments", "updated_at")
    assert articles["watermark"] == "created_at"
    assert articles["embedding"] == {"text": "{title}\n\n{body}"}
    assert settings["embedding"]["model"].startswith("${SYNCER_MODEL:-")
    # Who has but one column to choose is not asked for it.
    assert len(asked) == 3


def test_texts_are_embedded_where_it_is_asked_for(database: Database) -> None:
    """Without a question; where there is no text, that is told."""
    database.sql(ARTICLES + "; CREATE TABLE prices (id int PRIMARY KEY, price numeric, updated_at timestamptz)")
    assert database.run("init", "--yes", "--embed")[0] == 0
    assert database.pipeline()["embedding"] == {"text": "{title}\n\n{body}"}
    code, _, err = database.run("init", "--yes", "--embed", "--force", "--table", "prices")
    assert (code, "no text to embed" in err) == (2, True)


def test_an_answer_that_names_nothing_is_told(database: Database) -> None:
    """With what was probably meant, and asked for again; not for ever."""
    database.sql(ARTICLES)
    wishes = Wishes(database.url, None, [], embed=False, output=database.file, force=False)
    asked: list[str] = []
    with pytest.raises(ConfigurationError, match="no table commets") as told:
        init(Invocation(database.env), wishes, yes=False, ask=answering([("Which ones", "commets")], asked))
    assert "comments" in told.value.hint
    assert len(asked) == 3
    words = iter(["commets", "comments"])
    assert init(Invocation(database.env), wishes, yes=False, ask=lambda asked: _word(asked, words)) == 0
    assert "no table commets" in database.capture.readouterr().err
    assert [each["table"] for each in yaml.safe_load(database.file.read_text())["pipelines"].values()] == [
        "public.comments"
    ]


def _word(question: Question, words: Iterator[str]) -> str:
    return next(words) if "Which ones" in question.text else question.default
