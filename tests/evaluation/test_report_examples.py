"""Examples on the page of a prepared corpus: what changed is marked, and previews stay small."""

from __future__ import annotations

from typing import Any

import pytest

from multigraft.contracts.previews import LARGEST, Preview
from multigraft.errors import RowError
from multigraft.evaluation.report import examples
from multigraft.evaluation.report.examples import FULL, LATER, Previews, changes

MEDIA = {"row": 0, "value": "a.png", "told": "why", "draw": 0, "file": "/data/a.png"}


def picture(size: int) -> Any:
    return lambda raw: Preview("image/png", bytes(size))


def test_changes_are_marked_and_texts_stay_whole() -> None:
    before, after = "one  two <b>three</b> four", "one two three four"
    first, second = changes(before, after)
    assert "".join(text for text, _ in first) == before
    assert "".join(text for text, _ in second) == after
    assert [text for text, marked in first if marked] == [" ", "<b>", "</b>"]
    assert not any(marked for _, marked in second)


@pytest.mark.parametrize(("before", "after"), [("abc", "xyz"), ("", "a"), ("same", "same")])
def test_nothing_is_marked_where_nothing_or_all_is_the_same(before: str, after: str) -> None:
    assert not any(marked for side in changes(before, after) for _, marked in side)


def test_where_a_text_was_cut_off_is_no_change() -> None:
    first, _ = changes("one two three fo ...", "one two three four ...")
    assert not any(marked for _, marked in first)
    told = {"row": 3, "value": "same ...", "told": "same ...", "draw": 0}
    assert Previews({}).lines("0 spaces", "mended", [told])[0].told == LATER


def test_previews_are_made_until_the_page_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "MOST", 9000)
    found = Previews({"step": picture(3000)}).lines("step", "dropped", [MEDIA] * 4)
    assert [bool(each.value.address) for each in found] == [True, True, False, False]
    assert found[3].value.about == FULL and found[3].told == "why"


def test_what_gives_no_preview_keeps_its_name() -> None:
    def refused(raw: Any) -> Preview:
        raise RowError("is broken")

    def failing(raw: Any) -> Preview:
        raise ZeroDivisionError

    for make in (None, refused, failing, picture(LARGEST + 1)):
        line = Previews({"step": make}).lines("step", "dropped", [MEDIA])[0]
        assert (line.value.address, line.value.name, line.told) == ("", "a.png", "why")


def test_a_duplicate_stands_beside_what_stays() -> None:
    given = {**MEDIA, "instead": {"row": 7, "value": "b.png", "file": "/data/b.png"}}
    line = Previews({"step": picture(10)}).lines("step", "dropped", [given])[0]
    assert line.other is not None and line.other.row == 7 and line.other.address
