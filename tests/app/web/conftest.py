"""A browser for the pages: Chromium, which the system has."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from syncer.app.http_server import answering, listening
from syncer.ports import AsyncSearcher
from tests.app.web.web import Look, no_reports, web_application

#: Serves an application, and returns its address.
Serve = Callable[..., str]


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    chromium = os.environ.get("SYNCER_TEST_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium; install it, or name one by SYNCER_TEST_CHROMIUM")
    # Of a machine that is busy with other tests.
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(name="serve")
def _serve() -> Iterator[Serve]:
    with ExitStack() as stack:

        def serve(
            searchers: Mapping[str, AsyncSearcher] | None = None, look: Look = no_reports, **settings: Any
        ) -> str:
            app = web_application(searchers, look, **settings)
            bound = stack.enter_context(listening("127.0.0.1:0"))
            stack.enter_context(answering(app, bound, 100, "serving"))
            return f"http://127.0.0.1:{bound.getsockname()[1]}"

        yield serve


#: Opens a page; what it complains of, or asks of another host, fails the test.
Opening = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(name="opening")
def _opening(browser: Browser) -> Opening:
    @contextmanager
    def opening(url: str, *, refused: bool = False, timed: bool = False, **options: Any) -> Iterator[Page]:
        """refused: the browser may say that a page was answered with an error. timed: its clock stands still."""
        context = browser.new_context(**options)
        page = context.new_page()
        page.set_default_timeout(20_000)
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        # Nobody dismisses one: what waits for it fails.
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        hosts: set[str] = set()
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        if timed:
            page.clock.install()
        page.goto(url)
        yield page
        if refused:
            complaints = [each for each in complaints if not each.startswith("Failed to load resource")]
        context.close()
        assert complaints == []
        assert hosts == {urlsplit(url).netloc}

    return opening
