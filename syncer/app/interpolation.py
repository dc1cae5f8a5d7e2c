"""`${VAR}` in the values of the configuration file.

Substituted after YAML was parsed, and in text values only: so no password, whatever characters it holds, can break the
file or add a setting to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

#: Where a value is: the keys and list places that lead to it.
Path = tuple[str | int, ...]

#: `$${` stands for `${` itself; a `$` before anything else is a plain character.
_EXPRESSION = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\{")


def interpolate(value: Any, env: Mapping[str, str], path: Path = ()) -> tuple[Any, Sequence[tuple[Path, str]]]:
    """Return a YAML value with its variables replaced, and what is wrong with it, by place.

    `${VAR:-default}` gives the default where the variable is unset or empty, as in a shell.
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
        if name is None:
            problems.append(
                (place, "`${` begins no variable; write ${NAME}, ${NAME:-default}, or $${ for the characters")
            )
            return ""
        if default is not None:
            return env.get(name) or default
        if name not in env:
            problems.append((place, f"environment variable {name} is not set; set it, or write ${{{name}:-default}}"))
        return env.get(name, "")

    return replaced(value, path), problems
