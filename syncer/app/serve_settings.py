"""The settings of `syncer serve`."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, SecretStr, model_validator

from syncer.app.setting_type import BLANK_IS_NONE, Duration, Misplaced, Section, Text, listed

#: They are guessed at as fast as requests go.
SECRET_CHARACTERS_MIN = 16


def address(text: str) -> str:
    """Return `HOST:PORT` if it is one; an IPv6 host stands in brackets."""
    host, colon, port = text.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535 or (":" in host and not bracketed):
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080")
    return text.strip()


def host_and_port(listen: str) -> tuple[str, int]:
    """Return both parts of an address, the host without brackets."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def reached_from_elsewhere(host: str) -> bool:
    """Tell whether other machines may reach what listens on a host."""
    if host == "localhost":
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True


def filter_values(value: Any) -> Any:
    """Return lists of values by field: a single one needs no brackets."""
    if not isinstance(value, Mapping):
        return value
    found = {name: values if isinstance(values, list | tuple) else [values] for name, values in value.items()}
    for name, values in found.items():
        if not values or not all(isinstance(each, bool | int | float | str) and each != "" for each in values):
            raise Misplaced((name,), "must be a text, a number, true or false, or a list of these")
    return found


def long_enough(secret: SecretStr) -> SecretStr:
    """Return a secret that cannot be guessed."""
    if len(secret.get_secret_value()) < SECRET_CHARACTERS_MIN:
        raise ValueError(f"must have {SECRET_CHARACTERS_MIN} characters at least: openssl rand -hex 24")
    return secret


Listen = Annotated[str, AfterValidator(address)]
FilterValue = bool | int | float | str


class TokenSettings(Section):
    """Who may search: a bearer token, and what it is held to."""

    token: Annotated[SecretStr, AfterValidator(long_enough)]
    """What a request sends as `Authorization: Bearer …`, 16 characters at least: `openssl rand -hex 24`."""
    name: Text = None
    """What logs call it; left out: its place in the list."""
    pipelines: Annotated[tuple[str, ...] | None, BeforeValidator(listed)] = Field(default=None, min_length=1)
    """The pipelines that it may search; left out: all that are served."""
    filter: Annotated[Mapping[str, tuple[FilterValue, ...]], BeforeValidator(filter_values)] = Field(
        default_factory=dict
    )
    """Fields with exact values, each with the value, or one of the values, that every document must have that this
    token is shown: `{tenant_id: 7}`."""


class ServeSettings(Section):
    """What `syncer serve` answers to. See [searching over HTTP](serve.md)."""

    listen: Listen = "127.0.0.1:8080"
    """Address and port; `--listen` goes before it. Port 0 takes a free one."""
    public: bool = False
    """`true`: listen where other machines reach it though there are no `tokens`, and anybody may search."""
    tokens: tuple[TokenSettings, ...] = ()
    """With one or more, a request without one of them is refused."""
    cursor_secret: Annotated[Annotated[SecretStr, AfterValidator(long_enough)] | None, BLANK_IS_NONE] = None
    """Signs cursors, 16 characters at least: the same for all processes behind one address. Left out: a random one, so
    that no cursor outlives the process."""
    request_timeout: Duration = 10.0
    """How long a request may take; then it is answered 504."""
    requests: int = Field(default=100, ge=1, le=10_000)
    """Requests under way at once; more are answered 503."""
    body: ByteSize = Field(default=ByteSize(64_000), ge=1024, le=16 * 1024 * 1024)
    """The longest body of a request; a longer one is answered 413."""

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        texts = [of.token.get_secret_value() for of in self.tokens]
        for number, text in enumerate(texts):
            if text in texts[:number]:
                raise Misplaced(("tokens", number, "token"), "is that of another one too")
            if not text.isascii() or not text.isprintable() or " " in text:
                raise Misplaced(("tokens", number, "token"), "must be ASCII without spaces")
        return self
