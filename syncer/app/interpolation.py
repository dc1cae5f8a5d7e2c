"""`${VAR}` and `${file:PATH}` in the values of the configuration file.

Substituted after YAML was parsed, and in text values only: so no password, whatever characters it holds, can break the
file or add a setting to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

#: Where a value is: the keys and list places that lead to it.
Path = tuple[str | int, ...]

#: A secret is far shorter; who names another file by mistake does not get it whole into memory.
FILE_BYTES_MAX = 64 * 1024

#: `$${` stands for `${` itself; a `$` before anything else is a plain character. `${file:-x}` is a variable's default.
_EXPRESSION = re.compile(
    r"\$\$\{|\$\{file:(?P<file>(?!-)[^}]+)\}|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\{"
)


def interpolate(
    value: Any, env: Mapping[str, str], folder: FilePath, path: Path = ()
) -> tuple[Any, Sequence[tuple[Path, str]]]:
    """Return a YAML value with its variables and files replaced, and what is wrong with it, by place.

    `${VAR:-default}` gives the default where the variable is unset or empty, as in a shell. folder: of files whose path
    is relative.
    """
    problems: list[tuple[Path, str]] = []

    def replaced(part: Any, place: Path) -> Any:
        if isinstance(part, dict):
            return {key: replaced(inner, (*place, key)) for key, inner in part.items()}
        if isinstance(part, list):
            return [replaced(inner, (*place, number)) for number, inner in enumerate(part)]
        return _EXPRESSION.sub(lambda found: _value(found, place), part) if isinstance(part, str) else part

    def _value(found: re.Match[str], place: Path) -> str:
        name, default = found["name"], found["default"]
        if found[0] == "$${":
            return "${"
        if found["file"] is not None:
            file = folder / found["file"]
            try:
                return _held(file)
            except ValueError as error:
                problems.append((place, f"file {file} {error}"))
                return ""
        if name is None:
            problems.append(
                (
                    place,
                    "`${` begins no variable; write ${NAME}, ${NAME:-default}, ${file:PATH}, or $${ for the characters",
                )
            )
            return ""
        if default is not None:
            return env.get(name) or default
        if name not in env:
            problems.append((place, f"environment variable {name} is not set; set it, or write ${{{name}:-default}}"))
        return env.get(name, "")

    return replaced(value, path), problems


def _held(file: FilePath) -> str:
    """Return the text that a file holds, less the end of its last line.

    Raises ValueError with what is wrong, which quotes nothing of the file.
    """
    try:
        with file.open("rb") as stream:
            found = stream.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError("cannot be read: this is no path") from None
    if len(found) > FILE_BYTES_MAX:
        raise ValueError(f"is longer than {FILE_BYTES_MAX // 1024} kB: a secret is meant")
    try:
        text = found.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    if not text:
        # Taken for left out, it would be missed only when a server refuses the login.
        raise ValueError("holds nothing")
    return text
