from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--no-sandbox"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The system's Chromium without a window; its microphone beeps."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page; whatever it says in the console or throws fails the test."""
    context = browser.new_context(
        permissions=["microphone"], viewport={"width": 900, "height": 900}
    )
    context.set_default_timeout(20_000)
    opened = context.new_page()
    said: list[str] = []
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    opened.on("request", lambda asked: _check_address(asked.url, said))
    yield opened
    context.close()
    assert [line for line in said if "the server responded with a status of 4" not in line] == []


def _check_address(url: str, said: list[str]) -> None:
    if not url.startswith(("http://127.0.0.1:", "blob:", "data:")):
        said.append(f"the page asks a stranger: {url}")
