"""What a cell shows: a stranger's words are words, tables and lines stand where they should."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.read_html import read_html
from multigraft.system.notebook import Output, Rail, View, page_part

PLAIN = ["div", "style", "p", "strong"]


def test_a_heading_alone_is_a_heading() -> None:
    assert read_html(page_part(View(heading="a run"))) == (PLAIN, ["a run"])


def test_all_parts_are_there_in_order() -> None:
    view = View(
        heading="a run",
        aside="evaluate, 4 s",
        tables={"": (("metric", "value"), ("accuracy", "0.9")), "empty": ()},
        notes=("no test rows",),
        facts={"run": "runs/x"},
        folded={"worst": (("row",), ("7",)), "none": ()},
    )
    tags, said = read_html(page_part(view))
    told = "a run|evaluate, 4 s|metric|value|accuracy|0.9|no test rows|run|runs/x|worst|row|7"
    assert said == told.split("|")
    assert tags.count("table") == 2
    assert tags.index("details") > tags.index("dl")


@given(st.text(max_size=60))
def test_a_strangers_words_are_neither_markup_nor_signs(text: str) -> None:
    view = View(
        heading=text,
        aside=text,
        tables={text: ((text,), (text,))},
        notes=(text,),
        facts={text: text},
        folded={text: ((text,),)},
    )
    html = page_part(view)
    tags, said = read_html(html)
    assert set(tags) <= set(
        "div style p strong small table caption thead tbody tr th td ul li dl dt dd details "
        "summary".split()
    )
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b]", html)
    if text.isalnum() and text.isascii():
        assert said.count(text) >= 9


def test_a_line_has_its_band_its_value_and_its_mark_in_percent() -> None:
    html = page_part(View(heading="", tables={"": (("0 to 1",), (Rail(0.75, 0.5, 1.0, 0.25),))}))
    line = html.split('<span class="mg-rail">')[1]
    assert re.findall(r"left:([\d.]+)%", line) == ["25.0", "50.0", "75.0"]
    assert re.findall(r"width:([\d.]+)%", line) == ["50.0"]
    assert (
        "mg-mark"
        not in page_part(View(heading="", tables={"": (("0 to 1",), (Rail(0.75, 0.5, 1.0),))}))
        .replace(".mg-mark", "")
        .split("</style>")[1]
    )


def test_colours_are_the_pages_own() -> None:
    """A colour that is neither transparent nor the one of lines would be wrong in one theme."""
    style = page_part(View(heading=""))
    opaque = set(re.findall(r"#[0-9a-f]{3,8}\b", style))
    assert opaque == {"#3a8fd9", "#d99a1c"}
    assert "prefers-color-scheme" not in style, "a notebook's theme is not that of the system"


def test_an_output_is_shown_once_and_then_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = watch(monkeypatch)
    output = Output()
    output.show("<b>1</b>", "1")
    output.show("<b>2</b>", "2")
    assert [kind for kind, _ in shown] == ["display", "update"]
    assert [each["text/plain"] for _, each in shown] == ["1", "2"]
    assert "<b>2</b>" in shown[1][1]["text/html"]
    Output().show("", "3")
    assert shown[-1][0] == "display", "another output, of the cell that then runs"


def watch(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """What IPython is asked to show, in its place."""
    shown: list[tuple[str, dict[str, str]]] = []

    class Handle:
        def update(self, data: dict[str, str], *, raw: bool) -> None:
            assert raw
            shown.append(("update", data))

    def display(data: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        assert raw and display_id
        shown.append(("display", data))
        return Handle()

    module = ModuleType("IPython.display")
    module.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return shown
