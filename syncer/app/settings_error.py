"""Says what is wrong with a configuration: where, what, and what was probably meant. Never shows a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from syncer.app.embedding_settings import ONE, SEVERAL
from syncer.app.interpolation import Path
from syncer.app.setting_type import Misplaced
from syncer.core.suggestion import suggestion

#: By pydantic's type of error.
_WORDS = {
    "missing": "is missing",
    "string_type": "must be text: put it in quotes",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "model_type": "must hold settings, one a line",
    "model_attributes_type": "must hold settings, one a line",
    "dict_type": "must hold settings, one a line",
    "mapping_type": "must hold settings, one a line",
    "tuple_type": "must be a text or a list",
    "byte_size": "must be a size such as 10GB or 500MiB",
    "byte_size_unit": "must be a size such as 10GB or 500MiB",
}


def explain(error: ValidationError, model: type[BaseModel]) -> Sequence[tuple[Path, str]]:
    """Return the place of each error and a sentence about it."""
    details = error.errors(include_url=False, include_input=False)
    return [_explained(detail, model) for detail in details if not _follows(detail, details)]


def _follows(detail: ErrorDetails, details: Sequence[ErrorDetails]) -> bool:
    """Tell whether a list is called empty for what is wrong in it: pydantic does not count that."""
    depth = len(detail["loc"])
    return detail["type"] == "too_short" and any(
        len(other["loc"]) > depth and other["loc"][:depth] == detail["loc"] for other in details
    )


def _explained(detail: ErrorDetails, model: type[BaseModel]) -> tuple[Path, str]:
    path: Path = tuple(part for part in detail["loc"] if part not in (ONE, SEVERAL))
    kind = detail["type"]
    if kind == "extra_forbidden":
        return path, _unknown(path, model)
    if kind == "value_error":
        cause = detail["ctx"]["error"]
        return (*path, *(cause.path if isinstance(cause, Misplaced) else ())), str(cause)
    if path[-1:] == ("[key]",):
        return path[:-1], "its name may hold letters, digits, - and _, and begins with a letter or digit"
    if kind in _WORDS:
        return path, _WORDS[kind]
    text = detail["msg"].replace("Input should be", "must be").replace("String should", "must")
    return path, text[:1].lower() + text[1:]


def _unknown(path: Path, model: type[BaseModel]) -> str:
    return f"unknown setting; {suggestion(str(path[-1]), _settings(path[:-1], model))}"


def _settings(path: Path, model: type[BaseModel]) -> Sequence[str]:
    """Return the names of the settings that may stand at a place."""
    at: Any = model
    for part in path:
        at = _inner(at, part)
    section = _plain(at)
    if not (isinstance(section, type) and issubclass(section, BaseModel)):
        return []
    return [field.alias or name for name, field in section.model_fields.items()]


def _inner(kind: Any, part: str | int) -> Any:
    kind = _plain(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if isinstance(part, int):
            return kind  # it may be one, or a list
        return next(
            (field.annotation for name, field in kind.model_fields.items() if part in (name, field.alias)), None
        )
    if get_origin(kind) is tuple:
        return get_args(kind)[0]
    return get_args(kind)[-1] if get_origin(kind) is Mapping or get_origin(kind) is dict else None


def _plain(kind: Any) -> Any:
    """Return a type without `| None` and annotations; of several the first."""
    if get_origin(kind) in (Union, UnionType):
        return _plain(next(option for option in get_args(kind) if option is not type(None)))
    return _plain(kind.__origin__) if hasattr(kind, "__metadata__") else kind
