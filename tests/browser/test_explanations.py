"""The page says why a text is answered as it is. Needs Chromium."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

import multigraft as mg
from browser.test_page import shoot
from helpers.explained_runs import tiny
from helpers.toy_server import serving
from multigraft.runtime.serving.model import Model

pytestmark = pytest.mark.slow
CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const bright = (colours) => {
    for (const colour of colours) {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (element) => {
    const behind = [];
    for (let at = element; at; at = at.parentElement) {
      behind.unshift(getComputedStyle(at).backgroundColor);
    }
    const pair = [bright(behind), bright([...behind, getComputedStyle(element).color])];
    const [high, low] = pair.sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  return Math.min(...[...document.querySelectorAll(".why mark, .why p")].map(contrast));
}"""
"""The least contrast of a text in the explanation, its half transparent colours painted."""


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
        assert page.evaluate(CONTRASTS) >= 4.5
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        shoot(page, f"explained-{scheme}-{width}")
