"""Reads a YAML file strictly, and remembers the line of each value, for messages.

A message never quotes the file: what stands there may be a password.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import yaml

from syncer.app.interpolation import Path
from syncer.core.error import ConfigurationError

_TEXT = "tag:yaml.org,2002:str"

#: The errors of YAML that quote what they found, by what a file then holds.
_QUOTING = {
    "found undefined alias": "a text that begins with * must be quoted",
    "could not determine a constructor": "a text that begins with ! must be quoted",
}


@dataclass(frozen=True, slots=True)
class YamlFile:
    """What a file holds."""

    values: dict[str, Any]
    #: By path, counted from 1; what came by an alias has the line of what holds it.
    lines: Mapping[Path, int]

    def text(self, path: Path) -> str | None:
        """Return a text as it is written; None where there is none at this place."""
        found: Any = self.values
        for part in path:
            try:
                found = found[part]
            except (LookupError, TypeError):
                return None
        return found if isinstance(found, str) else None

    def line(self, path: Path) -> int:
        """Return the line of a value or, where it is not in the file, of what would hold it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(path: FilePath) -> YamlFile:
    """Return what the file holds. Raises ConfigurationError: unreadable, not YAML, a key twice, not a mapping."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"there is no configuration file {path}", hint="name it with -c FILE or SYNCER_CONFIG"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {_reason(error)}") from error
    loader = yaml.SafeLoader(text)
    lines: dict[Path, int] = {}
    try:
        node = loader.get_single_node()
        if node is not None:
            _survey(node, (), lines, set())
        values = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        # Not `from error`: its text quotes the file.
        raise ConfigurationError(f"{path}, line {_line(error)}: {_problem(error)}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigurationError(f"{path}: is not YAML: {type(error).__name__}") from None
    finally:
        loader.dispose()
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path}: holds no settings", hint="docs/configuration.md shows the smallest file")
    return YamlFile(values, lines)


def _survey(node: yaml.Node, path: Path, lines: dict[Path, int], seen: set[int]) -> None:
    """Enter the lines of a node and all below it; raise where a key stands twice or is no text."""
    lines[path] = node.start_mark.line + 1
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, inner in enumerate(node.value):
            _survey(inner, (*path, number), lines, seen)
    elif isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, inner in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.tag == "tag:yaml.org,2002:bool":
                # YAML 1.1 reads `on:` as `true:`, and it is a setting's name.
                key.tag = _TEXT
            if key.tag != _TEXT:
                raise yaml.constructor.ConstructorError(
                    problem="a setting's name must be text: quote it", problem_mark=key.start_mark
                )
            if key.value in keys:
                raise yaml.constructor.ConstructorError(
                    problem=f"{readable((*path, key.value))} stands here a second time", problem_mark=key.start_mark
                )
            keys.add(key.value)
            _survey(inner, (*path, key.value), lines, seen)
            lines[*path, key.value] = key.start_mark.line + 1


def readable(path: Path) -> str:
    """Return `pipelines.articles.table`, `elasticsearch.hosts[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            # `{password:secret}` without a blank is a key: show no more of it than a name can have.
            name = part[: next((i for i, c in enumerate(part) if not (c.isalnum() or c in "_-.")), len(part))]
            text += f".{name}" + ("…" if name != part else "")
    return text.removeprefix(".")


def _problem(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "is not YAML"
    return next((ours for theirs, ours in _QUOTING.items() if problem.startswith(theirs)), problem)


def _line(error: yaml.MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 1


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else (error.strerror or type(error).__name__)
