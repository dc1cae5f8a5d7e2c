"""The kinds of values that settings take, as functions that pydantic calls; each raises ValueError with the remedy."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_DURATION_SECONDS_MAX = 366 * 86_400.0

#: Elasticsearch allows 255 bytes; the physical index and its write alias add a time and a word to the alias.
ALIAS_BYTES_MAX = 200


class Misplaced(ValueError):
    """What is wrong belongs to a setting further inside than the validator that found it."""

    def __init__(self, setting: str | tuple[str | int, ...], message: str) -> None:
        """setting: dotted, or its parts where some are numbers in a list."""
        super().__init__(message)
        self.path = tuple(setting.split(".")) if isinstance(setting, str) else setting


class Section(BaseModel):
    """A part of the configuration: frozen, and no setting in it that is not known."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        """Take a section whose settings are all commented out for one that leaves them all out."""
        return {} if value is None else value


def seconds(value: Any) -> float:
    """Return a duration in seconds: `1s`, `200ms`, `15m`, `1h`, or a number of seconds."""
    found = _DURATION.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
    if found is None:
        raise ValueError("must be a duration such as 200ms, 1s, 15m, 1h, or a number of seconds")
    length = float(found[1]) * _UNIT_SECONDS[found[2] or "s"]
    if length > _DURATION_SECONDS_MAX:
        raise ValueError("is longer than a year")
    return length


Duration = Annotated[float, BeforeValidator(seconds)]

#: A column's name, unquoted, as in the catalogue.
Name = Annotated[str, Field(min_length=1)]


def refresh_interval(value: Any) -> str:
    """Return the interval as Elasticsearch writes it."""
    text = str(value).strip()
    if re.fullmatch(r"-1|\d+(ms|s|m|h|d)", text):
        return text
    return f"{round(seconds(value) * 1000)}ms"


RefreshInterval = Annotated[str, BeforeValidator(refresh_interval)]


def listed(value: Any) -> Any:
    """Return a list for a single text, so that one host or one key column needs no brackets."""
    return [value] if isinstance(value, str) else value


def blank_as_none(value: Any) -> Any:
    """Return None for an empty text: what `${VAR:-}` gives where the variable is not set."""
    return None if isinstance(value, str) and not value.strip() else value


BLANK_IS_NONE = BeforeValidator(blank_as_none)
Text = Annotated[str | None, BLANK_IS_NONE]
Secret = Annotated[SecretStr | None, BLANK_IS_NONE]


def index_name(name: str) -> str:
    """Return the name if Elasticsearch takes it for an alias."""
    if name != name.lower():
        raise ValueError("must be lowercase: Elasticsearch's rule for index names")
    bad = sorted(set(name) & set('\\/*?"<>| ,#:'))
    if bad:
        raise ValueError(f"must not hold {' '.join(map(repr, bad))}: Elasticsearch's rule for index names")
    if not name or name[0] in "-_+" or name in {".", ".."}:
        raise ValueError("must not be empty, begin with - _ +, or be . or ..")
    if len(name.encode()) > ALIAS_BYTES_MAX:
        raise ValueError(f"must not be longer than {ALIAS_BYTES_MAX} bytes")
    return name


def host(url: str) -> str:
    """Return the URL if it has all that the client needs, and no password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("must be a URL such as https://localhost:9200") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or password: use username and password beside hosts")
    if parts.scheme not in {"http", "https"} or not parts.hostname or port is None:
        raise ValueError("must be a URL with scheme, host and port, such as https://localhost:9200")
    return url


Host = Annotated[str, AfterValidator(host)]


def embedding_url(url: str) -> str:
    """Return the URL if its path tells how the server is spoken to, and it holds no password."""
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or password: use api_key")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a URL such as http://localhost:8080/embed")
    if parts.path.rpartition("/")[2] not in {"embed", "embeddings"}:
        raise ValueError("must end in /embed (Text Embeddings Inference) or /v1/embeddings")
    return url


EmbeddingUrl = Annotated[str, AfterValidator(embedding_url)]


def certificate_fingerprint(value: str) -> str:
    """Return the fingerprint without colons, in lower case."""
    digits = value.replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError("must be a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons")
    return digits


Fingerprint = Annotated[str, AfterValidator(certificate_fingerprint)]


def zone(name: str) -> str:
    """Return the name if a zone is called so."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not a time zone; write for example UTC or Europe/Berlin") from None
    return name


Zone = Annotated[str, AfterValidator(zone)]


def zone_has_daylight_saving(name: str) -> bool:
    """Tell whether the zone's clocks are set back from time to time."""
    info = ZoneInfo(name)
    days = (datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=7 * week) for week in range(110))
    return len({day.astimezone(info).utcoffset() for day in days}) > 1


def function_reference(value: str) -> str:
    """Return the name of a function in a module."""
    module, _, function = value.partition(":")
    if not function.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise ValueError("must be module:function, for example mypackage.documents:enrich")
    return value


FunctionReference = Annotated[str, AfterValidator(function_reference)]


def placeholders(template: str) -> Sequence[str]:
    """Return the field names in a template, in order. Raises ValueError where it is not one."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        raise ValueError("has a brace without its partner; {{ and }} stand for braces") from None
    names = []
    for _, name, spec, conversion in parts:
        if name is None:
            continue
        if spec or conversion or not name or set(name) & set("[]"):
            raise ValueError("may hold only field names in braces, without format: {title}")
        names.append(name)
    return names


def database_url(secret: SecretStr) -> SecretStr:
    """Return a database URL if the driver reads it as it is meant: an @ or / too many would make a part of the password
    the name of a host, which messages show."""
    user, _, location = secret.get_secret_value().partition("://")[2].partition("@")
    name = user.partition(":")[0]
    if "@" in location.partition("?")[0] or (location and "/" in name and "?" not in name):
        raise ValueError("has an @ or / within user or password: write %40 or %2F for it")
    return secret


DatabaseUrl = Annotated[SecretStr, AfterValidator(database_url)]
