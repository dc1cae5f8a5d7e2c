"""The documentation of the Python standard library on this machine, as rows: real text that everybody has."""

from __future__ import annotations

import importlib
import inspect
import io
import pkgutil
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from types import ModuleType

#: Modules that print, open a browser, change the terminal or the import system when imported, or document nothing.
_SKIPPED = frozenset(
    {
        *("antigravity", "distutils", "encodings", "ensurepip", "genericpath", "idlelib", "lib2to3", "msilib", "nt"),
        *("ntpath", "posixpath", "pydoc_data", "readline", "rlcompleter", "sre_compile", "sre_constants", "sre_parse"),
        *("test", "this", "tkinter", "turtle", "turtledemo"),
    }
)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_SIGNATURE_CHARACTERS = 300
_SUMMARY_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Entry:
    """One public module, class, function or method that is documented."""

    name: str
    kind: str
    module: str
    signature: str
    summary: str
    doc: str


def library_entries() -> list[Entry]:
    """Return every entry once, under its shortest name, always in the same order."""
    modules = sorted(_modules(), key=lambda module: (module.__name__.count("."), _public_name(module)))
    entries: dict[str, Entry] = {}
    seen: set[int] = set()
    for module in modules:
        for entry, value in _of_module(module):
            # A function that several modules export is documented where it is easiest to find.
            if id(value) not in seen:
                seen.add(id(value))
                entries.setdefault(entry.name, entry)
    return list(entries.values())


def _modules() -> Iterator[ModuleType]:
    names = sorted(name for name in sys.stdlib_module_names if not name.startswith("_"))
    while names:
        name = names.pop(0)
        top, _, rest = name.partition(".")
        if top in _SKIPPED or any(
            part.startswith("_") or part in {"test", "tests"} for part in rest.split(".") if part
        ):
            continue
        module = _imported(name)
        if module is None:
            continue
        yield module
        if hasattr(module, "__path__"):
            names += sorted(found.name for found in pkgutil.iter_modules(module.__path__, f"{name}."))
    yield sys.modules["os"].path  # its own name is posixpath, which nobody imports


def _imported(name: str) -> ModuleType | None:
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except Exception:  # of another system, or without its library: whatever it raises, it is not there
            return None


def _of_module(module: ModuleType) -> Iterator[tuple[Entry, object]]:
    name = _public_name(module)
    if doc := _doc(module):
        yield _entry(name, "module", name, module, doc), module
    exported = getattr(module, "__all__", None)
    for attribute in sorted(exported or (each for each in vars(module) if not each.startswith("_"))):
        value = getattr(module, attribute, None)
        if not inspect.isclass(value) and not inspect.isroutine(value):
            continue
        if exported is None and not _belongs(value, module):
            continue
        qualified = attribute if name == "builtins" else f"{name}.{attribute}"
        if doc := _doc(value):
            yield _entry(qualified, "class" if inspect.isclass(value) else "function", name, value, doc), value
        if inspect.isclass(value):
            yield from _methods(value, qualified, name)


def _methods(owner: type, qualified: str, module: str) -> Iterator[tuple[Entry, object]]:
    # vars: what the class inherits is documented at the class that defines it.
    for attribute in sorted(vars(owner)):
        value = getattr(owner, attribute, None)
        if not attribute.startswith("_") and inspect.isroutine(value) and (doc := _doc(value)):
            yield _entry(f"{qualified}.{attribute}", "method", module, value, doc), vars(owner)[attribute]


def _belongs(value: object, module: ModuleType) -> bool:
    home = getattr(value, "__module__", None)
    return home in {module.__name__, f"_{module.__name__}", None}


def _public_name(module: ModuleType) -> str:
    return "os.path" if module.__name__ in {"posixpath", "ntpath"} else module.__name__


def _doc(value: object) -> str:
    doc = getattr(value, "__doc__", None)
    return inspect.cleandoc(doc).replace("\x00", "") if isinstance(doc, str) else ""


def _entry(name: str, kind: str, module: str, value: object, doc: str) -> Entry:
    return Entry(name, kind, module, _signature(value, doc), _summary(doc, name), doc)


def _signature(value: object, doc: str) -> str:
    if isinstance(value, ModuleType):
        return ""
    try:
        signature = inspect.signature(value)  # type: ignore[arg-type]  # TypeError is an answer
    except Exception:  # it evaluates defaults, which may raise anything
        # Written in C: many begin their documentation with it.
        match = re.match(r"[\w.]+(\(.*\).*)", doc)
        text = match[1] if match else ""
    else:
        parameters = [
            parameter.replace(default=_shown(parameter.default)) for parameter in signature.parameters.values()
        ]
        text = str(signature.replace(parameters=parameters))
    return _ADDRESS.sub("", text)[:_SIGNATURE_CHARACTERS]


def _shown(default: object) -> object:
    """Return a default as it is shown: one that is computed may hold anything, the environment with its secrets too."""
    if default is inspect.Parameter.empty or default is None or isinstance(default, bool | int | float | str | bytes):
        return default
    if inspect.isclass(default) or inspect.isroutine(default):
        return _Name(default.__qualname__)
    return _Name("…")


class _Name(str):
    """Shown without quotes."""

    __slots__ = ()

    __repr__ = str.__str__


def _summary(doc: str, name: str) -> str:
    """Return the first sentence, after the signature that it may begin with."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", doc)]
    own = re.compile(
        rf"(?:[\w.]+\.)?{re.escape(name.rpartition('.')[2])}\(.*?\)(?: ?-> ?[\w.\[\], ]+?)?(?: -- |: | - |$)"
    )
    for paragraph in paragraphs:
        text = own.sub("", paragraph, count=1) if own.match(paragraph) else paragraph
        if text := text.strip():
            sentence = re.match(r".*?[.!?](?= [A-Z]|$)", text)
            return (sentence[0] if sentence else text)[:_SUMMARY_CHARACTERS]
    return paragraphs[0][:_SUMMARY_CHARACTERS]
