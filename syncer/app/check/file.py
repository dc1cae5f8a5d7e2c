"""Who else can read the configuration file."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from syncer.app.check.finding import Finding, Severity
from syncer.app.secret import hidden_parts, placed_secrets
from syncer.app.settings import Settings
from syncer.app.yaml_file import read_yaml, readable


def check_file(path: Path, settings: Settings) -> Iterator[Finding]:
    """Look whether secrets stand in a file that all users of this machine may read."""
    if not _open_to_all(path):
        return
    written = read_yaml(path)
    plain = [
        readable(place)
        for place, secret in placed_secrets(settings)
        if hidden_parts(secret) and written.text(place) == secret
    ]
    if plain:
        yield Finding(
            Severity.WARNING,
            plain[0],
            f"{path} holds {', '.join(plain)} as plain text, and every user of this machine may read it",
            "who logs in here can log in there",
            f"chmod o= {path}; or write ${{VAR}} or ${{file:PATH}}",
        )


def _open_to_all(path: Path) -> bool:
    if not path.is_file():
        return False  # a pipe, of which there is nothing left
    whole = path.resolve()
    return bool(whole.stat().st_mode & stat.S_IROTH) and all(
        folder.stat().st_mode & stat.S_IXOTH for folder in whole.parents
    )
