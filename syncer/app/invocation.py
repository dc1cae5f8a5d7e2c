"""What the command line says for every command, and the ways in and out that all commands share."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncer.app.exit_code import ExitCode, exit_code
from syncer.app.printable import printable_lines
from syncer.app.redaction import Redact, redactor
from syncer.core.error import LeaseHeld, LeaseLost, SyncerError, TransientError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from syncer.adapters.clock import SystemClock
    from syncer.app.settings import Settings
    from syncer.app.wiring import Application

_PIPE_WIDTH = 200

# Modules that take long to import are imported where they are needed: `syncer --help` must not wait for them.


@dataclass(slots=True)
class Invocation:
    """One run of the program."""

    env: Mapping[str, str]
    config: Path = Path("syncer.yaml")
    log_level: str = "info"
    #: `auto`: for people on a terminal, else JSON.
    log_format: str = "auto"
    debug: bool = False
    #: Print one JSON document instead of text.
    json: bool = False
    #: For errors; knows the secrets once the settings are loaded.
    redact: Redact = field(default_factory=lambda: redactor(()))

    def settings(self) -> Settings:
        """Load the settings, and keep their secrets out of the logs from now on."""
        from syncer.app.settings import Settings

        settings = Settings.load(self.config, self.env)
        self.redact = redactor(settings.secrets())
        self.configure_logs()
        return settings

    def configure_logs(self) -> None:
        from syncer.app.log import STDERR, configure

        by_itself = self.json or not STDERR.isatty()
        as_json = self.log_format == "json" or (self.log_format == "auto" and by_itself)
        configure(self.log_level, json=as_json, stream=STDERR, redact=self.redact)

    @contextmanager
    def application(
        self, *, when_stopped: ExitCode = ExitCode.REMAINDER, tidy: bool = False
    ) -> Iterator[tuple[Application, SystemClock]]:
        """Lend the application; SIGTERM and Ctrl-C stop its clock.

        when_stopped: the exit code of a command that is told to stop, and is then held up by something that is away.
        tidy: then wait for as long as that takes; see `stopped_by_signals`.
        """
        from syncer.adapters.clock import SystemClock
        from syncer.app.stop_signal import stopped_by_signals

        clock, application = SystemClock(), None

        def begun() -> bool:
            return application is not None and application.begun

        with stopped_by_signals(clock, when_stopped, begun=begun, tidy=tidy):
            settings = self.settings()

            from syncer.app.wiring import Application

            application = Application(settings, clock)
            try:
                yield application, clock
            except (LeaseHeld, LeaseLost, TransientError) as error:
                if not clock.stopping():
                    raise
                raise SystemExit(when_stopped) from error
            finally:
                application.close()

    def show(self, document: Mapping[str, Any], text: Callable[[], RenderableType]) -> None:
        """Print a result on standard output: the document as JSON, or its text."""
        if self.json:
            import json

            sys.stdout.write(json.dumps(self._redacted(document), ensure_ascii=False, indent=2) + "\n")
        else:
            from syncer.app.console import SafeConsole

            # A pipe has no width, and what reads it wants whole lines.
            width = None if sys.stdout.isatty() else _PIPE_WIDTH
            console = SafeConsole(file=sys.stdout, width=width, highlight=False, emoji=False, markup=False)
            console.print(text(), crop=False)
        sys.stdout.flush()

    def _redacted(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Mask secrets in what went wrong, which may be in the words of a server that quotes them; of several pipelines
        too. Nothing else: a password that is also the name of a schema must not change what scripts read."""

        def told(name: str, value: Any) -> Any:
            if name == "error" and isinstance(value, str):
                return self.redact(value)
            if name == "pipelines" and isinstance(value, list):
                return [self._redacted(each) if isinstance(each, Mapping) else each for each in value]
            return value

        return {name: told(name, value) for name, value in document.items()}

    def tell(self, error: Exception) -> None:
        """Say on standard error what has ended the command; where its result would be JSON, as a JSON log line."""
        if isinstance(error, SyncerError):
            message, hint = error.message, error.hint
        else:  # a bug: people get a line to report, not a traceback
            message, hint = f"unexpected {type(error).__name__}: {error}", "see more with --debug"
        if self.json:
            import structlog

            from syncer.app.log import STDERR, configure

            configure(self.log_level, json=True, stream=STDERR, redact=self.redact)
            code, shown = int(exit_code(error)), error if self.debug else None
            structlog.get_logger().error("error", message=message, hint=hint, exit_code=code, exc_info=shown)
            return
        text = "".join(traceback.format_exception(error)) if self.debug else ""
        text += f"{message}\n  → {hint}" if hint else message
        sys.stderr.write(f"syncer: {printable_lines(self.redact(text))}\n")
