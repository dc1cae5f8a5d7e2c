"""`syncer version --all`: what a report of a fault begins with."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import syncer

#: What decides how syncer behaves, by the names under which it is installed.
_PACKAGES = (
    "alembic",
    "apscheduler",
    "elasticsearch",
    "fastapi",
    "model2vec",
    "numpy",
    "onnxruntime",
    "opentelemetry-sdk",
    "openvino",
    "orjson",
    "prometheus-client",
    "psycopg",
    "psycopg-binary",
    "pydantic",
    "sentence-transformers",
    "sqlalchemy",
    "torch",
    "transformers",
    "typer",
    "urllib3",
    "uvicorn",
)


def versions() -> Mapping[str, object]:
    """Return them all. Imports none of what is named, so that it answers at once and where one of them is broken."""
    return {
        "version": syncer.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "state_schema": state_schema(),
        "installed_at": str(Path(syncer.__file__).parent),
        "executable": sys.executable,
        "packages": {name: _installed(name) for name in _PACKAGES},
    }


def shown(found: Mapping[str, object]) -> str:
    """Return them as lines."""
    packages = found["packages"]
    assert isinstance(packages, Mapping)
    told = {name.replace("_", " "): value for name, value in found.items() if name != "packages"}
    told = {"syncer": told.pop("version"), **told, **{name: each or "not installed" for name, each in packages.items()}}
    width = max(map(len, told))
    return "\n".join(f"{name:{width}}  {value}" for name, value in told.items())


def state_schema() -> str:
    """Return the revision of the state schema that this version needs: the last file of the migrations."""
    # Not through Alembic, which takes a second to import.
    package = Path(syncer.__file__).parent
    inside = package / "migrations"
    folder = (inside if inside.is_dir() else package.parent / "migrations") / "versions"
    return max(found[0] for path in folder.glob("*.py") if (found := re.match(r"\d{4}", path.name)))


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
