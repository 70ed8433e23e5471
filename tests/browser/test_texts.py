"""A text appears on the page as it is written, and an answer where it stands. Needs Chromium."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from browser.test_page import READABLE, shoot
from helpers.toy_server import serving
from helpers.toy_writer import speller

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("width", [390, 1280])
def test_a_text_appears_beside_its_source_as_it_is_written(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    slow, graph = speller("speller", pause=0.02)
    with serving(slow, wait_ms=0) as served:
        page.goto(served.url)
        page.fill("#column-0", "abc")
        page.click("#go")
        expect(page.locator("#time")).to_have_text("Writing …")
        begun = page.locator(".beside .written").last
        expect(begun).to_contain_text("def")
        assert len(begun.inner_text()) < 64, "it is told before its end"
        expect(page.locator("#time")).to_contain_text("ms on the server")
        assert len(begun.inner_text()) == 64
        assert page.inner_text("#spoken").startswith("Written: def")
        assert page.evaluate(READABLE) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        shoot(page, f"written-{width}")
        steps = graph.steps
        page.click("#go")
        expect(page.locator("#time")).to_have_text("Writing …")
        page.fill("#column-0", "x")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#time")).to_contain_text("ms on the server")
        assert graph.steps < steps + 110, "the text that was left is written no further"


TEXT = "Ada Lovelace met Grace Hopper in New York."
MODEL = {
    **{"modality": "text", "backbone": "bert", "precision": "int8", "media": None},
    **{"labels": [], "suffixes": [], "branches": [], "asks": {}, "streams": False},
}
SHOWN: dict[str, dict[str, Any]] = {
    "tagging": {
        "fields": {"#column-0": TEXT},
        "answers": [{"entities": [{"start": 33, "end": 41, "label": "LOC", "score": 0.9}]}],
        "says": "New York\u00a0LOC",
    },
    "extraction": {
        "fields": {"#column-0": "Which city?", "#column-1": TEXT},
        "answers": [{"text": "New York", "start": 33, "end": 41, "score": 0.9}],
        "says": "New York\u00a0answer",
    },
    "embedding": {
        "fields": {"#column-0": TEXT, "#rank-others": "one\n\nanother"},
        "answers": [{"embedding": vector} for vector in ([1, 0], [0, 1], [3, 1])],
        "says": "0.949\nanother\n0.000\none",
    },
}


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("kind", SHOWN)
def test_answers_stand_where_they_belong(page: Any, kind: str, width: int) -> None:
    """As the page shows them, whoever gives them."""
    shown = SHOWN[kind]
    columns = ["text", "text_pair"] if kind == "extraction" else ["text"]
    model = {**MODEL, "name": kind, "task": kind, "answers": kind, "columns": columns}
    found = {"model": kind, "answers": shown["answers"], "milliseconds": 1.0}
    page.set_viewport_size({"width": width, "height": 800})
    page.route("**/models", lambda route: route.fulfill(json={"models": [model]}))
    page.route("**/predict", lambda route: route.fulfill(json=found))
    with serving(speller("speller")[0]) as served:
        page.goto(served.url)
        for field, text in shown["fields"].items():
            page.fill(field, text)
        page.click("#go")
        expect(page.locator("#time")).to_contain_text("ms on the server")
        assert shown["says"] in page.inner_text("#answer").replace("\n\n", "\n")
        assert page.evaluate(READABLE) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        shoot(page, f"{kind}-{width}")
