"""No secret is printed, logged or stored: every one that can be configured, through commands that succeed and fail."""

from __future__ import annotations

import itertools
import json
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import UnionType
from typing import Any, Union, get_args, get_origin
from urllib.parse import quote, urlsplit

import psycopg
import pytest
import typer.main
import yaml
from fastapi.testclient import TestClient
from pydantic import BaseModel, SecretStr

from syncer.adapters.clock import SystemClock
from syncer.app.cli import app
from syncer.app.commands.serve import over_http
from syncer.app.redaction import redactor
from syncer.app.secret import placed_secrets
from syncer.app.settings import Settings
from syncer.app.wiring import Application
from tests.app.deployment import Deployment

#: In every secret, at both ends: a part that is shown betrays itself, and so does one that is quoted in some way.
CANARY = "kanarienvogel"
#: They run until they are told to stop, or write a file; `serve` is asked below.
NOT_RUN = {"demo", "serve", "init"}

Place = tuple[str | int, ...]


def secret(number: int) -> str:
    return f"{CANARY}{number}a\"\\'%/+?#&=:@{CANARY}{number}z"


def secret_places(kind: Any, place: Place = (), within: tuple[type, ...] = ()) -> Iterator[Place]:
    """Yield where the settings take a secret: `articles` of a mapping, the first of a list."""
    if hasattr(kind, "__metadata__"):
        yield from secret_places(kind.__origin__, place, within)
    elif get_origin(kind) in (Union, UnionType):
        for option in get_args(kind):
            yield from secret_places(option, place, within)
    elif get_origin(kind) is tuple:
        yield from secret_places(get_args(kind)[0], (*place, 0), within)
    elif get_origin(kind) in (Mapping, dict):
        yield from secret_places(get_args(kind)[1], (*place, "articles"), within)
    elif kind is SecretStr:
        yield place
    elif isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in within:
        for name, field in kind.model_fields.items():
            yield from secret_places(field.annotation, (*place, field.alias or name), (*within, kind))


def put(settings: dict[str, Any], place: Place, value: str) -> None:
    """Write a setting, with the sections and lists that lead to it."""
    at: Any = settings
    for part, after in itertools.pairwise(place):
        if isinstance(at, list) and len(at) <= part:  # type: ignore[operator]
            at.append([] if isinstance(after, int) else {})
        elif isinstance(at, dict):
            at.setdefault(part, [] if isinstance(after, int) else {})
        at = at[part]
    at[place[-1]] = value


class Echo(BaseHTTPRequestHandler):
    """Embeds texts; asked for anything else it refuses, and quotes the request, as careless servers do."""

    protocol_version = "HTTP/1.1"
    status = 401

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/embed":
            self._say(200, [[1.0, 0.0, 0.0]] * len(json.loads(body)["inputs"]))
            return
        if self.path == "/":
            self._say(200, {"version": {"number": "9.0.0"}})
            return
        said = "; ".join(f"{name}: {value}" for name, value in self.headers.items())
        self._say(self.status, {"error": {"type": "odd", "reason": f"refused {said}"}, "status": self.status})

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer

    def _say(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def echoing(status: int = 401) -> Iterator[str]:
    """Lend the URL of a server that quotes what it is sent."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answering", (Echo,), {"status": status}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(name="model_url")
def _model_url() -> Iterator[str]:
    with echoing() as url:
        yield f"{url}/embed"


class Canaries:
    """A deployment with every secret that there is."""

    def __init__(self, deployment: Deployment, model_url: str) -> None:
        self.deployment = deployment
        self.shown: list[str] = []
        self.places = dict.fromkeys(secret_places(Settings))
        role = f"canary_{deployment.prefix.rpartition('-')[2]}"
        deployment.sql(f"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{secret(0).replace(chr(39), chr(39) * 2)}'")
        self.role = role
        self.url = deployment.url_of(role, "x").replace(":x@", f":{quote(secret(0), safe='')}@")
        self.model_url = model_url

    def settings(self, *, by_key: bool = False) -> dict[str, Any]:
        """Return a configuration with a secret wherever the models take one."""
        settings: dict[str, Any] = {
            "elasticsearch": {"hosts": self.deployment.elastic.url},
            "embedding": {"backend": "http", "url": self.model_url},
            "pipelines": {
                "articles": {
                    "table": "articles",
                    "index": {"alias": f"{self.deployment.prefix}-articles", "replicas": 0},
                    "fields": {"title": "text", "price": "keyword"},
                    "embedding": {"text": "{title}"},
                }
            },
        }
        for number, place in enumerate(self.places, start=1):
            put(settings, place, self._value(place, number))
        if by_key:
            del settings["elasticsearch"]["password"]
        else:
            del settings["elasticsearch"]["api_key"]
            settings["elasticsearch"]["username"] = "elastic"
        return settings

    def _value(self, place: Place, number: int) -> str:
        if place[-1] != "url":
            return secret(number)
        of_database = place[0] in {"source", "state"}
        return self.url if of_database else f"http://127.0.0.1:1/{quote(secret(number), safe='')}"

    def write(self, settings: Mapping[str, Any]) -> Settings:
        path = self.deployment.folder / "syncer.yaml"
        path.write_text(yaml.safe_dump(settings))
        return Settings.load(path, {})

    def run(self, *arguments: str) -> int:
        """Run a command with all that it can tell, and look at what it told."""
        code, out, err = self.deployment.run(*arguments, "--debug", "--log-level", "debug")
        prove_clean(f"{out}\n{err}", " ".join(arguments))
        return code

    def run_all(self) -> Mapping[str, int]:
        """Run every command, as text and as JSON where it knows that; return the codes."""
        codes = {}
        for arguments in commands():
            codes[arguments[0]] = self.run(*arguments)
            if takes_json(arguments):
                self.run(*arguments, "--json")
        return codes

    def prove_state_clean(self) -> str:
        """Look at every row of the state; return all of it."""
        with psycopg.connect(self.deployment.postgres_url) as connection:
            tables = connection.execute(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'syncer'"
            ).fetchall()
            rows = [str(row) for (table,) in tables for row in connection.execute(f"SELECT t::text FROM {table} AS t")]
        state = "\n".join(rows)
        prove_clean(state, "the state")
        return state


@pytest.fixture(name="canaries")
def _canaries(deployment: Deployment, model_url: str) -> Iterator[Canaries]:
    if deployment.elastic.username:
        pytest.skip("the search engine has a password of its own")
    deployment.sql("INSERT INTO articles VALUES (1, 'apple', '3'), (2, 'pear', 'dear'), (3, 'plum', NULL)")
    made = Canaries(deployment, model_url)
    yield made
    deployment.sql(f"DROP OWNED BY {made.role} CASCADE; DROP ROLE {made.role}")


def prove_clean(shown: str, what: str) -> None:
    __tracebackhide__ = True
    lowered = shown.lower()
    sent = [b64encode(f"elastic:{secret(number)}".encode()).decode() for number in range(20)]
    for found in (CANARY, *sent):
        at = lowered.find(found.lower())
        assert at < 0, f"{what}: …{shown[max(0, at - 300) : at + 200]}…"


def commands() -> Iterator[Sequence[str]]:
    """Yield the command lines of all commands that need nothing beyond a pipeline, a key or a text."""
    given = {"pipeline": "articles", "pipelines": "articles", "key": "2", "text": "apple", "name": "articles"}
    options = {"run": ["--once"], "resync": ["--ids", "1,2"], "embed-bench": ["--backend", "http", "--texts", "2"]}
    # What others need comes first, and what stops them last.
    order = {"migrate": 0, "install-triggers": 1, "run": 2, "pause": 8, "resume": 9}
    found = dict(leaves(typer.main.get_command(app), ()))
    for path in sorted(found, key=lambda path: (order.get(path[0], 5), path)):
        needed = [each for each in found[path].params if each.param_type_name == "argument" and each.required]
        if path[0] not in NOT_RUN and all(each.name in given for each in needed):
            yield [*path, *(given[str(each.name)] for each in needed), *options.get(path[0], [])]


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, each in inner.items():
        yield from leaves(each, (*path, name))


def takes_json(arguments: Sequence[str]) -> bool:
    found = dict(leaves(typer.main.get_command(app), ()))
    command = found[tuple(arguments[:2])] if tuple(arguments[:2]) in found else found[tuple(arguments[:1])]
    return any("--json" in each.opts for each in command.params)


def test_no_option_takes_a_secret() -> None:
    """Whoever lists processes sees the command line."""
    names = {
        option.lower()
        for _, command in leaves(typer.main.get_command(app), ())
        for each in command.params
        for option in (*each.opts, str(each.envvar or ""))
    }
    assert "--json" in names
    assert [name for name in names if any(word in name for word in ("password", "secret", "token", "api"))] == []


def test_settings_never_show_their_secrets(canaries: Canaries) -> None:
    """Every field that takes a secret is masked, and is known to whoever masks messages."""
    for by_key in (True, False):
        settings = canaries.write(canaries.settings(by_key=by_key))
        assert len(list(placed_secrets(settings))) == len(canaries.places) - 1
        prove_clean(f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}", "the settings")
        application = Application(settings, SystemClock())
        prove_clean(f"{application.embedder!r} {vars(application.embedder)} {application._connection!r}", "an adapter")
        known = " ".join(each for _, each in placed_secrets(settings))
        prove_clean(redactor(settings.secrets())(f"{known} {secret(0)}"), "a log")


def test_commands_that_succeed(canaries: Canaries) -> None:
    """Their results, their logs, and what they store, with a password and with an API key."""
    canaries.write(canaries.settings())
    codes = canaries.run_all()
    needed = ("migrate", "run", "backfill", "verify", "search", "rebuild", "status", "resume")
    assert {name: codes[name] for name in needed} == dict.fromkeys(needed, 0)
    canaries.write(canaries.settings(by_key=True))
    canaries.run("check")
    assert canaries.run("run", "--once") == 0
    assert "apple" not in canaries.prove_state_clean()


def other_password(settings: dict[str, Any], part: str) -> None:
    settings[part]["url"] = settings[part]["url"].replace(f"{CANARY}0z", f"{CANARY}9z")


FAULTS = [
    "wrong-password",
    "source-away",
    "state-away",
    "no-database",
    "no-tls",
    "elasticsearch-away",
    "no-https",
    "model-away",
]


@pytest.mark.parametrize("fault", FAULTS)
def test_commands_that_fail(canaries: Canaries, fault: str) -> None:
    """Whatever cannot be reached, or is reached in the wrong way, with a traceback for everybody."""
    settings = canaries.settings()
    canaries.write(settings)
    assert canaries.run("migrate") == 0
    source, elastic = urlsplit(settings["source"]["url"]), urlsplit(canaries.deployment.elastic.url)
    away = source._replace(netloc=f"{source.netloc.rpartition(':')[0]}:1").geturl()
    match fault:
        case "wrong-password":
            other_password(settings, "source")
        case "source-away":
            settings["source"]["url"] = away
        case "state-away":
            settings["state"]["url"] = away
        case "no-database":
            settings["source"]["url"] = source._replace(path=f"/{canaries.role}").geturl()
        case "no-tls":
            settings["source"]["url"] += "?sslmode=verify-full"
        case "elasticsearch-away":
            settings["elasticsearch"]["hosts"] = "http://127.0.0.1:1"
        case "no-https":
            settings["elasticsearch"]["hosts"] = elastic._replace(scheme="https").geturl()
        case "model-away":
            settings["embedding"] |= {"url": "http://127.0.0.1:1/embed", "dims": 3}
    canaries.write(settings)
    failing = [["check"], ["run", "--once"], ["status"], ["verify", "articles"], ["backfill", "articles"]]
    if fault == "model-away":
        # Six attempts, with pauses.
        failing = [["status"]]
    for arguments in failing:
        canaries.run(*arguments)
        canaries.run(*arguments, "--json")
    canaries.prove_state_clean()


@pytest.mark.parametrize("status", [403, 500])
def test_a_server_that_quotes_what_it_is_sent(canaries: Canaries, status: int) -> None:
    """The header with the password, or the key, is in its answer."""
    with echoing(status) as url:
        for by_key in (False, True):
            settings = canaries.settings(by_key=by_key)
            canaries.write(settings)
            canaries.run("migrate")
            canaries.run("run", "--once")
            settings["elasticsearch"]["hosts"] = url
            # Several, so that one that fails is told among the results.
            settings["pipelines"]["others"] = settings["pipelines"]["articles"] | {
                "index": {"alias": f"{canaries.deployment.prefix}-others"}
            }
            canaries.write(settings)
            for arguments in (["check"], ["run", "--once"], ["status"], ["search", "articles", "x"]):
                canaries.run(*arguments)
                canaries.run(*arguments, "--json")
            assert f"refused Host: {urlsplit(url).netloc}" in canaries.deployment.run("status")[1].replace("\n", " ")
    canaries.prove_state_clean()


def test_a_function_that_quotes_every_secret(canaries: Canaries, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it raises becomes a dead letter: in the log, in the state, on the pages, in what commands print of it."""
    folder = canaries.deployment.folder
    settings = canaries.settings()
    quoted = [value for _, value in placed_secrets(canaries.write(settings))]
    (folder / "canary_shelf.py").write_text(
        "def fail(document):\n"
        f"    raise RuntimeError(f\"no answer for {{document['title']}}: \" + {' '.join(quoted)!r})\n"
    )
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    settings["pipelines"]["articles"]["transform"] = "canary_shelf:fail"
    loaded = canaries.write(settings)
    canaries.run("migrate")
    assert canaries.run("run", "--once") == 1
    of_letters = [["dead-letters", name, "articles"] for name in ("list", "replay")]
    for arguments in (["status"], ["verify", "articles"], *of_letters, ["dead-letters", "show", "articles", "2"]):
        canaries.run(*arguments)
        canaries.run(*arguments, "--json")
    assert "no answer for pear" in canaries.prove_state_clean()
    prove_pages_clean(loaded)
    sys.modules.pop("canary_shelf", None)


def prove_pages_clean(settings: Settings) -> None:
    """Look at the pages, at what monitors ask for, and at answers that are errors."""
    clock = SystemClock()
    application = Application(settings, clock)
    token = settings.serve.tokens[0].token.get_secret_value()
    with TestClient(over_http(application, ["articles"], clock, application.redact), "http://127.0.0.1:8080") as client:
        for headers in ({}, {"Authorization": f"Bearer {token}"}, {"Authorization": f"Bearer x{token}"}):
            for path in (
                "/",
                "/status",
                "/metrics",
                "/readyz",
                "/healthz",
                "/openapi.json",
                "/search?q=x",
                "/documents/2",
            ):
                answer = client.get(path, headers=headers)
                prove_clean(answer.text, path)
                if path == "/status" and answer.status_code == 200:
                    assert "no answer for" in answer.text
    application.close()
