"""Keeps secrets out of everything that is printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

MASK = "***"
#: Replacing shorter texts would make every line unreadable; inside URLs they are masked all the same.
SECRET_LENGTH_MIN = 4
#: Bounded, and without a way back: a row that is quoted may hold thousands of beginnings and no end. Without bounds,
#: eighty kilobytes of them took thirteen seconds.
_URL_PASSWORD = re.compile(r"(://[^:/@\s]{0,256}+:)[^@\s]{1,1024}+(?=@)")
_PARAMETER = re.compile(r"(?i)(password=|authorization\W+(?:apikey|basic|bearer) )[^\s&'\",}]+")

Redact = Callable[[str], str]


def redactor(secrets: Iterable[str]) -> Redact:
    """Return a function that masks these texts, URL passwords, and what follows `password=`, wherever they stand."""
    # The longest first: one secret may begin with another.
    known = sorted({secret for secret in secrets if len(secret) >= SECRET_LENGTH_MIN}, key=len, reverse=True)
    texts = re.compile("|".join(map(re.escape, known))) if known else None

    def redact(text: str) -> str:
        if texts:
            text = texts.sub(MASK, text)
        return _PARAMETER.sub(rf"\1{MASK}", _URL_PASSWORD.sub(rf"\1{MASK}", text))

    return redact
