"""Makes what a release is made of, in dist: python tools/release.py. Uploads nothing, and tags nothing."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Collection, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
#: What the list of parts is made with, in an environment of its own.
_CYCLONEDX = "cyclonedx-bom==7.5.0"
#: What the image has; the list of parts is of these.
_EXTRAS = "embedding,serve,traces"
_SECTION = re.compile(r"^## \[(?P<name>[^\]]+)\](?: - \d{4}-\d{2}-\d{2})?\n(?P<text>.*?)(?=^## |^\[|\Z)", re.M | re.S)


def faults(version: str, changelog: str, tags: Collection[str], changed: str) -> Iterator[str]:
    """Yield why this version cannot be released from this tree."""
    if changed:
        yield f"the tree is not clean: commit or remove\n{changed}"
    if f"v{version}" in tags:
        yield f"v{version} is tagged already: raise __version__ in syncer/__init__.py"
    sections = {found["name"]: found["text"].strip() for found in _SECTION.finditer(changelog)}
    if not sections.get(version):
        yield f"CHANGELOG.md says nothing of {version}: give what is under Unreleased the heading ## [{version}] - DATE"
    if sections.get("Unreleased"):
        yield "CHANGELOG.md has changes under Unreleased: they belong to this version, or to another tree"


def main() -> int:
    """Check, build, try and describe; return the exit code."""
    version = _version()
    changed = "\n".join(_git("status", "--short"))
    found = list(faults(version, (ROOT / "CHANGELOG.md").read_text(), _git("tag"), changed))
    if found:
        sys.stderr.write("".join(f"not to be released: {fault}\n" for fault in found))
        return 1
    shutil.rmtree(DIST, ignore_errors=True)
    _run(sys.executable, "-m", "hatchling", "build", "-d", str(DIST))
    (wheel,) = DIST.glob("*.whl")
    work = ROOT / "build" / "release"
    shutil.rmtree(work, ignore_errors=True)
    _try_and_list(wheel, DIST / f"syncer-{version}.cdx.json", work)
    _sum()
    signed = _sign()
    sys.stdout.write(
        f"\nsyncer {version} is in dist, {'signed' if signed else 'NOT SIGNED: gpg has no secret key'}. Next:\n"
        f"  git tag -s v{version} -m 'syncer {version}' && git push origin v{version}\n"
        f"  twine upload dist/*.whl dist/*.tar.gz\n"
        f"  put dist/* on the page of the release, and build the image from the tag: docs/releasing.md\n"
    )
    return 0


def _try_and_list(wheel: Path, listing: Path, work: Path) -> None:
    """Install the wheel as the image does, list what came with it, and see that it works."""
    installed = _environment(work / "installed", f"{wheel}[{_EXTRAS}]", "-c", str(ROOT / "constraints.txt"))
    lister = _environment(work / "cyclonedx", _CYCLONEDX)
    _run(
        str(lister / "cyclonedx-py"), "environment", "--output-reproducible", "--of", "JSON", "-o", str(listing),
        "--pyproject", str(ROOT / "pyproject.toml"), str(installed / "python"),
    )  # fmt: skip
    # pyproject.toml leaves the version to the package.
    parts = json.loads(listing.read_text())
    parts["metadata"]["component"]["version"] = _version()
    listing.write_text(json.dumps(parts, indent=2) + "\n")
    syncer = str(installed / "syncer")
    _run(syncer, "--help", cwd=work)
    _run(syncer, "version", "--all", cwd=work)
    _run(str(installed / "pip"), "install", "-q", f"{wheel}[demo]", "-c", str(ROOT / "constraints.txt"))
    _run(syncer, "demo", "--once", cwd=work)


def _environment(folder: Path, *requirements: str) -> Path:
    """Return the programs of a fresh environment."""
    venv.create(folder, with_pip=True)
    _run(str(folder / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", *requirements)
    return folder / "bin"


def _sum() -> None:
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(DIST.iterdir())]
    (DIST / "SHA256SUMS").write_text("".join(sums))


def _sign() -> bool:
    """Sign the sums, and with them all the rest; False: there is nothing to sign with."""
    gpg = shutil.which("gpg")
    if gpg is None or not subprocess.run([gpg, "--list-secret-keys"], capture_output=True, check=False).stdout:
        return False
    _run(gpg, "--armor", "--detach-sign", str(DIST / "SHA256SUMS"))
    return True


def _version() -> str:
    found = re.search(r'__version__ = "(.+)"', (ROOT / "syncer" / "__init__.py").read_text())
    assert found is not None
    return found[1]


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def _run(*command: str, cwd: Path = ROOT) -> None:
    subprocess.run(command, check=True, cwd=cwd)


if __name__ == "__main__":
    sys.exit(main())
