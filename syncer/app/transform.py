"""Loads the function that a pipeline's `transform` names."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from inspect import iscoroutinefunction
from pathlib import Path
from types import ModuleType
from typing import Any

from syncer.adapters.json import OrJson
from syncer.core.error import ConfigurationError
from syncer.core.suggestion import suggestion
from syncer.engine.transform import Transform
from syncer.transform import Declaration, declaration


@dataclass(frozen=True, slots=True)
class LoadedTransform:
    """A function, and what is known of it."""

    #: `module:function`, as the setting has it.
    reference: str
    declaration: Declaration
    #: Where its module came from; None: it was built into the interpreter, or made by another program.
    file: str | None
    transform: Transform

    @property
    def description(self) -> Mapping[str, Any]:
        """What tells the documents of one from those of another; the code itself, which may be anywhere, does not."""
        return {"function": self.reference, "version": self.declaration.version}


def load_transform(reference: str, folder: Path, *, setting: str) -> LoadedTransform:
    """Import `module:function`, an installed one or else one in the folder.

    Raises ConfigurationError where there is no such function, or its module cannot be imported.
    """
    name, _, attribute = reference.partition(":")
    module = _module(name, folder, setting)
    if not hasattr(module, attribute):
        known = [known for known, value in vars(module).items() if callable(value) and not known.startswith("_")]
        raise ConfigurationError(
            f"{setting}: module {name} has no function {attribute}", hint=suggestion(attribute, known)
        )
    function = getattr(module, attribute)
    if not callable(function) or iscoroutinefunction(function):
        kind = "an async function" if callable(function) else f"of type {type(function).__name__}"
        raise ConfigurationError(
            f"{setting}: {attribute} in module {name} is {kind}",
            hint="name a function that takes a document and returns one, or None; docs/transform.md shows one",
        )
    said = declaration(function)
    return LoadedTransform(
        reference, said, getattr(module, "__file__", None), Transform(function, OrJson(), batch=said.batch)
    )


def _module(name: str, folder: Path, setting: str) -> ModuleType:
    # For good: the module may import its neighbours when it is called. Last: a file of the folder must not take the
    # place of a module of Python's, or of a package that syncer needs.
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise ConfigurationError(
                f"{setting}: there is no module {error.name}",
                hint=f"install the package that holds it, or start syncer in its folder instead of {folder}",
            ) from error
        raise _broken(name, error, setting) from error
    except Exception as error:  # the user's module may raise anything while it is imported
        raise _broken(name, error, setting) from error


def _broken(name: str, error: Exception, setting: str) -> ConfigurationError:
    return ConfigurationError(
        f"{setting}: module {name} cannot be imported: {type(error).__name__}: {error}",
        hint=f"mend it until this works: python -c 'import {name}'",
    )
