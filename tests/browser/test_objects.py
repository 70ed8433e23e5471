"""Boxes are drawn on the picture that was dropped, and a slider says how sure they must be. Needs
Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from browser.test_page import READABLE, shoot
from helpers.toy_server import serving
from helpers.toy_writer import speller

pytestmark = pytest.mark.slow

MODEL = {
    **{"modality": "image", "backbone": "resnet", "precision": "int8", "media": "image"},
    **{"labels": ["cat", "dog"], "suffixes": [".png"], "branches": [], "asks": {}},
    **{"streams": False, "name": "m", "task": "object-detection", "answers": "detection"},
    "columns": ["image"],
}
OBJECTS = [
    {"label": "cat", "score": 0.9, "box": [20, 10, 120, 60]},
    {"label": "dog", "score": 0.4, "box": [150, 70, 190, 95]},
]


@pytest.mark.parametrize("width", [390, 1280])
def test_boxes_lie_on_the_picture(page: Any, tmp_path: Path, width: int) -> None:
    Image.new("RGB", (200, 100), "teal").save(tmp_path / "a.png")
    found = {"model": "m", "answers": [{"objects": OBJECTS}], "milliseconds": 1.0}
    page.set_viewport_size({"width": width, "height": 800})
    page.route("**/models", lambda route: route.fulfill(json={"models": [MODEL]}))
    page.route("**/predict*", lambda route: route.fulfill(json=found))
    with serving(speller("speller")[0]) as served:
        page.goto(served.url)
        page.set_input_files("input[type=file]", str(tmp_path / "a.png"))
        boxes = page.locator("#answer .box")
        expect(boxes).to_have_count(2)
        frame = page.locator("#answer .objects img").bounding_box()
        cat = page.locator("#answer .box", has_text="cat").bounding_box()
        scale = frame["width"] / 200
        assert cat["x"] - frame["x"] == pytest.approx(20 * scale, abs=1)
        assert cat["y"] - frame["y"] == pytest.approx(10 * scale, abs=1)
        assert cat["width"] == pytest.approx(100 * scale, abs=1)
        assert cat["height"] == pytest.approx(50 * scale, abs=1)
        assert page.inner_text("#spoken") == "cat, dog"
        assert page.evaluate(READABLE) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        shoot(page, f"objects-{width}")
        page.locator("#answer input[type=range]").fill("0.5")
        expect(boxes).to_have_count(1)
        assert "at least 50 % sure" in page.inner_text("#answer")
