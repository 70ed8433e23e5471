"""The page says why a text is answered as it is. Needs Chromium."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

import multigraft as mg
from browser.test_page import READABLE, shoot
from helpers.explained_runs import tiny
from helpers.toy_server import serving
from multigraft.runtime.serving.model import Model

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_button_below_the_answer_marks_the_words(page: Any, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    made = Model("reviews", tiny("text").predictor, mg.Catalog().modality("text"))
    with serving(made) as served:
        page.goto(served.url)
        page.fill("#column-0", "a great film 🎬 with music")
        page.click("#go")
        page.get_by_role("button", name="Why?").click()
        words = page.locator(".why .marked mark")
        expect(words.first).to_be_visible()
        assert words.all_inner_texts()[:3] == ["a", "great", "film"]
        assert page.inner_text(".why .marked") == "a great film 🎬 with music"
        assert "calls of the model" in page.inner_text(".why")
        assert page.evaluate(READABLE) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        shoot(page, f"explained-{scheme}-{width}")
