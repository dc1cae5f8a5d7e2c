"""The secrets among settings, in every form that a message may show them in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, SecretStr

from syncer.app.interpolation import Path

#: What libpq takes in the query of a URL and must not be shown.
_QUERY = re.compile(r"(?:password|oauth_client_secret|scram_client_key|scram_server_key)=([^&\s]+)")

_PATH_CHARACTERS_MIN = 16

#: Of a header's value: what follows the scheme may be quoted alone.
_AUTHORIZATION = re.compile(r"(?i)^(?:apikey|basic|bearer|token) +(\S+)$")


def placed_secrets(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield every secret that is set in a section and all below it, with its place in the file."""
    if isinstance(value, SecretStr):
        yield path, value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from placed_secrets(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from placed_secrets(inner, (*path, name))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from placed_secrets(inner, (*path, number))


def hidden_parts(secret: str) -> Sequence[str]:
    """Return what of a secret must not be shown: of a URL its passwords, for where it leads helps to mend it."""
    scheme, separator, _ = secret.partition("://")
    if not separator:
        return [secret, *_AUTHORIZATION.findall(secret)]
    if scheme.partition("+")[0] in {"postgres", "postgresql"}:
        return _passwords(secret)
    if scheme not in {"http", "https"}:
        return [secret, *_passwords(secret)]
    # The path of a webhook lets in. A short one does not, and is a word that other messages have too.
    parts = urlsplit(secret)
    path = parts.path.strip("/")
    return [*_passwords(secret), *([path] if len(path) >= _PATH_CHARACTERS_MIN else []), parts.query]


def forms(text: str) -> frozenset[str]:
    """Return a text as it stands, decoded, percent-encoded, and as JSON and Python write it."""
    found = {text, unquote(text)}
    return frozenset(
        form
        for one in found
        for form in (one, quote(one), quote(one, safe=""), json.dumps(one)[1:-1], repr(one)[1:-1])
        if form
    )


def _passwords(url: str) -> Sequence[str]:
    """Return what is secret in a URL, as it stands there."""
    # Not urlsplit: the driver takes a password with `/`, `#` or `?` in it as it is.
    found = re.findall(r"://[^:/@]*:([^@]*)@", url) + re.findall(r"://[^:/@]*:(.*)@", url) + _QUERY.findall(url)
    return sorted({text for text in found if text})
