"""The pages in a browser: what somebody does with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from playwright.sync_api import Page, expect

from syncer.app.pipeline_report import PipelineReport
from syncer.app.status import PipelineStatus
from syncer.core.error import SinkUnavailable
from syncer.core.field import VectorField
from syncer.core.search.request import Request
from syncer.core.search.result import Result
from tests.app.web.conftest import Opening, Serve
from tests.app.web.web import DOCUMENTS, EVIL, FIELDS, Hybrid, memory

VECTOR = VectorField("vector", "{title}", 4)


def titles(page: Page) -> list[str]:
    return page.locator(".hit h2").all_inner_texts()


def test_somebody_types_and_is_completed_by_keyboard_alone(serve: Serve, opening: Opening) -> None:
    """`/` leads to the box, arrows through what it goes on to, Escape back, and Enter searches."""
    with opening(serve() + "/?q=row") as page:
        box = page.get_by_role("combobox", name="Search")
        expect(box).not_to_be_focused()
        page.keyboard.press("/")
        expect(box).to_be_focused()
        page.keyboard.type("late commits, part 2")
        options = page.get_by_role("option")
        # Those of all that was typed: slow typing is completed on the way.
        shown = [f"Late commits, part {number}" for number in (2, 20, 21, 22, 23, 24)]
        expect(options).to_have_text(shown)
        expect(box).to_have_attribute("aria-expanded", "true")

        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        expect(options.nth(1)).to_have_attribute("aria-selected", "true")
        expect(box).to_have_attribute("aria-activedescendant", "completion-1")
        expect(box).to_have_value(shown[1])
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        expect(box).to_have_value("late commits, part 2")

        page.keyboard.press("Escape")
        expect(options).to_have_count(0)
        expect(box).to_have_value("late commits, part 2")
        expect(box).to_have_attribute("aria-expanded", "false")

        page.keyboard.type("1")
        expect(options).to_have_count(1)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("q=Late"))
        assert titles(page)[0] == "Late commits, part 21"
        expect(page.locator(".hit mark").first).to_be_visible()


def test_a_completion_is_taken_by_a_click(serve: Serve, opening: Opening) -> None:
    with opening(serve()) as page:
        expect(page.get_by_role("combobox")).to_be_focused()
        page.keyboard.type("late commits, part 17")
        page.get_by_role("option", name="Late commits, part 17", exact=True).click()
        page.wait_for_url(re.compile("q=Late"))
        assert titles(page)[0] == "Late commits, part 17"


def test_what_is_found_is_narrowed_and_paged(serve: Serve, opening: Opening) -> None:
    """By facets, which keep what was typed, and by links."""
    with opening(serve() + "/?q=late") as page:
        page.get_by_role("link", name=re.compile(r"^postgres")).first.click()
        expect(page.get_by_role("status")).to_contain_text("16 documents")
        expect(page.get_by_role("combobox")).to_have_value("late")
        first = titles(page)
        page.get_by_role("link", name="Next").click()
        page.wait_for_url(re.compile("page=2"))
        assert not set(first) & set(titles(page))
        page.get_by_role("link", name="Remove tags: postgres").click()
        expect(page.get_by_role("status")).to_contain_text("24 documents")
        page.get_by_label("year from").fill("2024")
        page.get_by_label("year from").press("Enter")
        expect(page.get_by_role("status")).to_contain_text("8 documents")


def test_documents_like_one_are_a_click_away(serve: Serve, opening: Opening) -> None:
    with opening(serve() + "/?q=number+9") as page:
        page.get_by_role("link", name="Similar").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Similar to Late commits, part 9")
        assert "Late commits, part 9" not in titles(page)


def test_the_mode_is_switched_at_once(serve: Serve, opening: Opening) -> None:
    """What was typed is kept; each hit says why it is there."""
    searcher = Hybrid(DOCUMENTS, [field.name for field in FIELDS])
    with opening(serve({"articles": searcher}, vectors=[VECTOR]) + "/?q=late") as page:
        expect(page.get_by_role("radio", name="hybrid")).to_be_checked()
        page.get_by_role("radio", name="vector").check(force=True)
        page.wait_for_url(re.compile("mode=vector"))
        expect(page.get_by_role("radio", name="vector")).to_be_checked()
        expect(page.get_by_role("combobox")).to_have_value("late")
        why = page.locator(".why").first
        why.locator("summary").click()
        expect(why.get_by_role("row", name=re.compile("vector 3"))).to_be_visible()


def test_a_search_that_failed_can_be_tried_again(serve: Serve, opening: Opening) -> None:
    """The page says what happened, and a click goes on where it was."""

    class Once(Hybrid):
        failed = False

        async def search(self, request: Request) -> Result:
            if not self.failed:
                self.failed = True
                raise SinkUnavailable("away")
            return await super().search(request)

    searcher = Once(DOCUMENTS, [field.name for field in FIELDS])
    with opening(serve({"articles": searcher}) + "/?q=late&filter=tags:postgres", refused=True) as page:
        expect(page.get_by_role("alert")).to_contain_text("Search is away for the moment")
        expect(page.get_by_label("Search")).to_have_value("late")
        page.get_by_role("link", name="Try again").click()
        expect(page.get_by_role("status")).to_contain_text("16 ")


def test_completions_that_fail_disturb_nobody(serve: Serve, opening: Opening) -> None:
    """Elasticsearch may be away while somebody types."""

    class Mute(Hybrid):
        async def suggest(self, *_: Any, **__: Any) -> Any:
            raise SinkUnavailable("away")

    searcher = Mute(DOCUMENTS, [field.name for field in FIELDS])
    with opening(serve({"articles": searcher}), refused=True) as page:
        expect(page.get_by_role("combobox")).to_be_focused()
        with page.expect_response(re.compile("/suggest")) as answered:
            page.keyboard.type("late")
        assert answered.value.status == 503
        page.keyboard.press("Enter")
        expect(page.locator(".hit").first).to_be_visible()


def test_without_scripts_everything_can_be_found(serve: Serve, opening: Opening) -> None:
    """By a form and by links."""
    with opening(serve(), java_script_enabled=False) as page:
        page.get_by_label("Search", exact=True).fill("number 12")
        page.get_by_role("button", name="Search").click()
        assert titles(page)[0] == "Late commits, part 12"
        page.get_by_role("link", name=re.compile("^polling")).first.click()
        page.wait_for_url(re.compile("filter=tags"))
        page.get_by_label("published_at from").fill("2023-01-01")
        page.get_by_role("button", name="Set").first.click()
        page.wait_for_url(re.compile("range=published_at"))


def test_what_documents_hold_never_runs(serve: Serve, opening: Opening) -> None:
    """Neither on the page nor among completions."""
    evil = {"title": f"Late {EVIL}", "body": EVIL, "tags": [EVIL], "published_at": "2024-01-01", "year": 1}
    with opening(serve({"articles": memory({"1": evil, "2": {**evil, "title": EVIL}})}) + "/?q=late") as page:
        assert titles(page) == [f"Late {EVIL}"]
        page.get_by_role("combobox").fill("<scr")
        expect(page.get_by_role("option")).to_have_text(EVIL)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("q=%3Cscript"))
        expect(page.get_by_role("combobox")).to_have_value(EVIL)


def test_the_status_is_kept_up_to_date(serve: Serve, opening: Opening) -> None:
    """Without a reload."""
    documents = [1]

    def look() -> Mapping[str, PipelineReport]:
        return {"articles": PipelineReport(PipelineStatus("articles", "following", documents=documents[0]))}

    with opening(serve(look=look) + "/status", timed=True) as page:
        figure = page.locator(".figures dd").first
        expect(figure).to_have_text("1")
        page.evaluate("window.here = true")
        documents[0] = 1234
        page.clock.fast_forward(6_000)
        expect(figure).to_have_text("1,234")
        assert page.evaluate("window.here") is True


def test_somebody_signs_in_and_out(serve: Serve, opening: Opening) -> None:
    """The token is where no script can read it, and the page goes on where it was asked for."""
    token = "seven" * 4
    url = serve(tokens=[{"token": token, "filter": {"tenant_id": 7}}])
    with opening(url + "/?q=number+8", refused=True) as page:
        page.get_by_label("Token").fill(token)
        page.keyboard.press("Enter")
        expect(page.locator(".hit h2").first).to_have_text("Late commits, part 8")
        assert page.evaluate("document.cookie") == ""
        page.get_by_role("combobox").fill("late commits, part 1")
        # Of those that the token may not see, none.
        expect(page.get_by_role("option")).to_have_text([f"Late commits, part {n}" for n in (10, 12, 14, 16, 18)])
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("A token is needed")
