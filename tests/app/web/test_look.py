"""The pages in a browser: what they look like, and to whom."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from syncer.app.pipeline_report import PipelineReport
from syncer.app.status import PipelineStatus
from tests.app.web.conftest import Opening, Serve
from tests.app.web.web import DOCUMENTS, memory

#: A small phone.
PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize(
    "address",
    ["/", "/?q=late", "/?q=late&filter=tags:postgres&page=2", "/?similar=1", "/status", "/?filter=x", "/?q=nowhere"],
)
def test_a_small_phone_shows_each_page(serve: Serve, opening: Opening, address: str) -> None:
    """Nothing has to be moved sideways, long words neither; filters are folded away until they are asked for."""
    long = memory({**DOCUMENTS, "0": {"title": "late" + "x" * 300, "body": "y" * 500, "tags": ["z" * 200]}})
    look = {"articles": PipelineReport(PipelineStatus("articles", "stopped"), ["w" * 300])}
    url = serve({"articles": long}, lambda: look) + address
    with opening(url, refused=True, viewport=PHONE, is_mobile=True, has_touch=True) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        filters = page.locator("details.facets")
        if filters.count():
            expect(filters.get_by_role("link").first).to_be_hidden()
            filters.locator("summary").first.tap()
            expect(filters.get_by_role("link").first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_on_a_wide_screen_the_filters_are_open(serve: Serve, opening: Opening) -> None:
    with opening(serve()) as page:
        expect(page.locator("details.facets").get_by_role("link").first).to_be_visible()


#: Of each text on the page, how far its colour is from what is behind it, as WCAG measures it; those below 4.5.
_FAINT = r"""
() => {
  const rgb = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = rgb(getComputedStyle(element).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest("[aria-hidden], .unseen, .skip")) continue;
    const both = [light(rgb(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    if (ratio < 4.5) found.push(`${element.className || element.tagName}: ${ratio.toFixed(2)}`);
  }
  return found;
}
"""
#: What somebody who hears the page is not told the purpose of.
_NAMELESS = """
() => [...document.querySelectorAll("input:not([type=hidden]), button, select, svg:not([aria-hidden])")]
  .filter((each) => !(each.labels?.length || each.getAttribute("aria-label") || each.textContent.trim()))
  .map((each) => each.outerHTML)
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", ["/?q=late&filter=tags:postgres", "/status", "/?filter=x"])
def test_every_text_stands_out_in_both_schemes(serve: Serve, opening: Opening, address: str, scheme: str) -> None:
    """At least 4.5 to 1, and there are two schemes."""
    states = ["following", "loading", "paused", "stopped"]
    look = {"articles": PipelineReport(PipelineStatus("articles", states[0]), ["attention"])}
    with opening(serve(look=lambda: look) + address, refused=True, color_scheme=scheme) as page:
        for state in states:
            page.evaluate(
                "(s) => document.querySelectorAll('.state').forEach((e) => (e.className = 'state ' + s))", state
            )
            assert page.evaluate(_FAINT) == []
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] < 128")
        assert dark == (scheme == "dark")


@pytest.mark.parametrize("address", ["/?q=late", "/status", "/?filter=x"])
def test_everything_has_a_name(serve: Serve, opening: Opening, address: str) -> None:
    """Each input and button for who hears the page; one main part, and headings in their order."""
    with opening(serve() + address, refused=True) as page:
        assert page.evaluate(_NAMELESS) == []
        assert page.locator("main").count() == 1
        assert page.locator("h1").count() == 1
        assert page.evaluate("document.documentElement.lang") == "en"
