"""No key of anybody is in the tree."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: What keys look like that others hand out. Written so that this file is not among those that hold one.
_KEYS = re.compile(
    r"-----BEGIN[ ](?:[A-Z]+[ ])*PRIVATE[ ]KEY"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # Amazon
    r"|\bAIza[0-9A-Za-z_-]{35}\b"  # Google
    r"|\bgh[oprsu]_[0-9A-Za-z]{36}|\bgithub_pat_[0-9A-Za-z_]{60}"
    r"|\bglpat-[0-9A-Za-z_-]{20}"
    r"|\bxox[abeprs]-[0-9A-Za-z-]{20}|hooks\.slack\.com/services/T[0-9A-Z]{8,}/B[0-9A-Z]{8,}/\w{20}"
    r"|\bsk-[0-9A-Za-z_-]{32}|\bsk_live_[0-9A-Za-z]{20}"
    r"|\bhf_[A-Za-z]{30}"
    r"|\bpypi-[0-9A-Za-z_-]{50}"
    r"|\beyJ[0-9A-Za-z_-]{15,}\.eyJ[0-9A-Za-z_-]{15,}\."  # a signed token
)
_FOLDERS_LEFT_OUT = {".git", ".venv", "build", "dist", "node_modules"}
_BYTES_MAX = 1_000_000


def files() -> Iterator[Path]:
    """Yield what belongs to the project: as git says, else what is there."""
    found = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True)
    if found.returncode == 0:
        listed = [ROOT / name for name in found.stdout.decode().split("\0") if name]
    else:
        listed = [path for path in ROOT.rglob("*") if not _FOLDERS_LEFT_OUT & set(path.relative_to(ROOT).parts)]
    yield from (path for path in listed if path.is_file() and path.stat().st_size <= _BYTES_MAX)


def test_no_file_holds_what_looks_like_a_key() -> None:
    """One that was committed is known to everybody, whatever is done later."""
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in files()}
    assert ROOT / "pyproject.toml" in texts
    found = [
        f"{path.relative_to(ROOT)}: {hit[0][:12]}…" for path, text in texts.items() for hit in _KEYS.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    "key",
    [
        "AKIA" + "A1" * 8,
        "ghp_" + "a1" * 18,
        "sk-" + "aB3" * 12,
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "xoxb-" + "1a" * 12,
    ],
)
def test_keys_are_recognised(key: str) -> None:
    """As they stand in a file of settings."""
    assert _KEYS.search(f'api_key: "{key}"')
