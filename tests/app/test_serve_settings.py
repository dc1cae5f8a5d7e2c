"""The settings of `syncer serve`."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from syncer.app.commands.serve import prove_guarded
from syncer.app.http_server import listening
from syncer.app.serve_settings import host_and_port, reached_from_elsewhere
from syncer.app.settings import Settings
from syncer.core.error import ConfigurationError

TOKEN = "0123456789abcdef"


def load(folder: Path, **serve: Any) -> Settings:
    settings = {
        "source": {"url": "postgresql://h/d"},
        "elasticsearch": {"hosts": "http://localhost:9200"},
        "pipelines": {"articles": {"table": "articles"}},
        "serve": serve,
    }
    path = folder / "syncer.yaml"
    path.write_text(yaml.safe_dump(settings))
    return Settings.load(path, {"TOKEN": TOKEN})


def test_by_itself_it_serves_this_machine(tmp_path: Path) -> None:
    """Nothing has to be configured, and nobody else gets in."""
    serve = load(tmp_path).serve
    assert host_and_port(serve.listen) == ("127.0.0.1", 8080)
    assert (serve.tokens, serve.public) == ((), False)


def test_a_token_is_held_to_what_is_configured(tmp_path: Path) -> None:
    """It comes from the environment, and counts as a secret."""
    settings = load(
        tmp_path,
        tokens=[{"token": "${TOKEN}", "pipelines": "articles", "filter": {"tenant_id": 7, "status": ["a", "b"]}}],
        cursor_secret="s" * 16,
    )
    (token,) = settings.serve.tokens
    assert token.pipelines == ("articles",)
    assert token.filter == {"tenant_id": (7,), "status": ("a", "b")}
    assert {TOKEN, "s" * 16} <= set(settings.secrets())


@pytest.mark.parametrize(
    ("serve", "place", "said"),
    [
        ({"tokens": [{"token": "short"}]}, "serve.tokens[0].token", "16"),
        ({"tokens": [{"token": "${UNSET:-}"}]}, "serve.tokens[0].token", "16"),
        ({"tokens": [{"token": TOKEN}, {"token": TOKEN}]}, "serve.tokens[1].token", "another"),
        ({"tokens": [{"token": "two words, sixteen"}]}, "serve.tokens[0].token", "spaces"),
        ({"tokens": [{"token": TOKEN, "pipelines": ["articles", "notes"]}]}, "serve.tokens[0].pipelines[1]", "notes"),
        ({"tokens": [{"token": TOKEN, "pipelines": []}]}, "serve.tokens[0].pipelines", "empty"),
        (
            {"tokens": [{"token": TOKEN, "filter": {"tenant_id": None}}]},
            "serve.tokens[0].filter.tenant_id",
            "must be a text",
        ),
        (
            {"tokens": [{"token": TOKEN, "filter": {"tenant_id": ""}}]},
            "serve.tokens[0].filter.tenant_id",
            "must be a text",
        ),
        ({"tokens": [{"token": TOKEN, "filter": {"tenant_id": []}}]}, "serve.tokens[0].filter.tenant_id", "must be"),
        (
            {"tokens": [{"token": TOKEN, "filters": {"tenant_id": 7}}]},
            "serve.tokens[0].filters",
            "did you mean filter?",
        ),
        ({"cursor_secret": "short"}, "serve.cursor_secret", "16"),
        ({"listen": "8080"}, "serve.listen", "HOST:PORT"),
        ({"listen": "::1:8080"}, "serve.listen", "[::1]:8080"),
        ({"listen": "localhost:99999"}, "serve.listen", "HOST:PORT"),
        ({"requests": 0}, "serve.requests", "1"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, serve: dict[str, Any], place: str, said: str) -> None:
    """Above all what would let in more than was meant: a filter without a value is none."""
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, **serve)
    message = str(error.value)
    assert f": {place}" in message
    assert said in message
    assert TOKEN not in message


@pytest.mark.parametrize(
    ("host", "elsewhere"),
    [
        *((host, False) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost")),
        *((host, True) for host in ("0.0.0.0", "::", "192.168.1.5", "search.example.com", "localhost.example.com")),
    ],
)
def test_what_others_reach_needs_tokens(tmp_path: Path, host: str, elsewhere: bool) -> None:
    """Or the word that anybody may search."""
    assert reached_from_elsewhere(host) is elsewhere
    listen = f"[{host}]:80" if ":" in host else f"{host}:80"
    prove_guarded(load(tmp_path, public=True).serve, listen)
    prove_guarded(load(tmp_path, tokens=[{"token": TOKEN}]).serve, listen)
    if not elsewhere:
        prove_guarded(load(tmp_path).serve, listen)
        return
    with pytest.raises(ConfigurationError, match=r"serve\.tokens"):
        prove_guarded(load(tmp_path).serve, listen)


def test_a_port_that_is_taken_is_told() -> None:
    """Without a traceback, with what to do."""
    with listening("127.0.0.1:0") as bound:
        with pytest.raises(ConfigurationError, match="in use") as error:
            listening(f"127.0.0.1:{bound.getsockname()[1]}")
        assert "--listen" in error.value.hint


def test_answers_do_not_wait_for_acknowledgements() -> None:
    """asyncio sees to that for sockets that say they are of TCP."""
    with listening("127.0.0.1:0") as bound:
        assert bound.proto == socket.IPPROTO_TCP
