"""Explanations of several rows: their figures, their page, and where a run keeps them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from helpers.explained_runs import tiny
from multigraft.contracts.units import Units
from multigraft.errors import PredictError
from multigraft.evaluation.explain.drawing import drawing_of
from multigraft.evaluation.explain.explanations import SANITY, mean_curves


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """Three held-out texts by two methods, written into a folder."""
    folder = tmp_path_factory.mktemp("why")
    made = tiny("text")
    methods = ["occlusion", "gradient-x-input"]
    return made.run.explain(3, method=methods, into=folder, quiet=True), folder


def test_each_method_has_its_figures_with_intervals(told: tuple[Any, Path]) -> None:
    found, _ = told
    measures = found.measures()
    for method in found.methods:
        for name in ("deletion gain over random", "insertion gain over random", SANITY):
            measure = measures[f"{method}: {name}"]
            assert measure.low <= measure.value <= measure.high
    rows = [row.by["occlusion"].faithfulness.deletion_gain for row in found.rows]
    gain = measures["occlusion: deletion gain over random"].value
    assert gain == pytest.approx(np.mean(rows))


def test_the_record_says_all_of_it(told: tuple[Any, Path]) -> None:
    found, folder = told
    record = json.loads((folder / "explanations.json").read_text())
    assert record == json.loads(json.dumps(found.to_dict()))
    assert [row["row"] for row in record["rows"]] == [row.place for row in found.rows]
    units = record["rows"][0]["explanations"]["occlusion"]["units"]
    assert {"unit", "weight", "text", "start", "end"} == set(units[0])


def test_the_page_asks_nobody_and_marks_every_word(told: tuple[Any, Path]) -> None:
    found, folder = told
    page = (folder / "explanations.html").read_text()
    assert "<script" not in page
    assert re.findall(r"(?:src|href)=\"(?!data:)", page) == []
    marks = re.findall(r'<mark class="(?:for|against|plain)" style="--share: [\d.]+" title', page)
    assert len(marks) == 2 * sum(len(row.by["occlusion"].weights) for row in found.rows)


def test_the_runs_report_tells_the_figures(told: tuple[Any, Path]) -> None:
    folder = tiny("text").run.folder
    assert (folder / "reports" / "explain.json").is_file()
    page = (folder / "report.html").read_text()
    assert ">Explain<" in page
    assert ">deletion gain</th>" in page


@pytest.mark.parametrize("modality", ["image", "audio", "table"])
def test_other_modalities_have_a_page_too(modality: str, tmp_path: Path) -> None:
    made = tiny(modality)
    made.run.explain([made.value], sanity=False, faithfulness=False, into=tmp_path, quiet=True)
    page = (tmp_path / "explanations.html").read_text()
    assert ('<img src="data:image/' in page) is (modality != "table")
    assert ("<rect class=" in page) is (modality != "table")


def test_a_row_that_cannot_be_read_is_noted_and_others_are_explained(tmp_path: Path) -> None:
    run = tiny("text").run
    found = run.explain(
        ["a film", " "], sanity=False, faithfulness=False, into=tmp_path, quiet=True
    )
    assert len(found.rows) == 1
    assert found.notes == ("row 2: the text is empty",)
    with pytest.raises(mg.RowError, match="empty"):
        run.explain([" "], quiet=True)


def test_an_option_that_no_method_has_is_told() -> None:
    with pytest.raises(PredictError, match="has option 'sample'; did you mean 'samples'"):
        tiny("text").run.explain(["a film"], method=["occlusion", "lime"], sample=9, quiet=True)


def test_held_out_rows_are_drawn_by_the_seed(tmp_path: Path) -> None:
    run, places = tiny("table").run, []
    for seed in (0, 0, 1):
        found = run.explain(
            4, seed=seed, sanity=False, faithfulness=False, into=tmp_path, quiet=True
        )
        places.append([row.place for row in found.rows])
    assert places[0] == places[1] != places[2]


def test_a_drawing_keeps_every_character() -> None:
    text = "naïve  idea, it was"
    spans = np.array([[0, 0, 5], [0, 7, 11], [0, 13, 15]])
    names = tuple(text[first:after] for _, first, after in spans)
    units = Units(kind="words", names=names, places=spans, hide=lambda hidden: {}, shown=(text,))
    drawn = drawing_of("", units, np.array([1.0, -0.5, 0.001]), 1.0)
    pieces = drawn.texts[0]
    assert "".join(piece if isinstance(piece, str) else piece.text for piece in pieces) == text
    assert [mark.side for mark in drawn.marks] == ["for", "against", "plain"]


def test_figures_stand_only_where_they_were_measured(
    told: tuple[Any, Path], tmp_path: Path
) -> None:
    page = (told[1] / "explanations.html").read_text()
    assert "Can these be trusted?" in page
    assert "95% bootstrap intervals" in page
    assert all(f"<dt>{name}</dt>" in page for name in ("insertion gain", "random weights"))
    assert "<dt>of its own</dt>" not in page, "neither method tells anything of itself"
    run = tiny("text").run
    one = run.explain(["a great film"], into=tmp_path, quiet=True)
    assert [(each.low, each.high) for each in one.measures().values()] == [(None, None)] * 3
    assert "bootstrap" not in (tmp_path / "explanations.html").read_text()
    run.explain(["a film"], sanity=False, faithfulness=False, into=tmp_path, quiet=True)
    page = (tmp_path / "explanations.html").read_text()
    assert "Can these be trusted?" not in page
    assert "was not measured" in page


def test_random_orders_are_drawn_for_insertion_too(told: tuple[Any, Path]) -> None:
    curves = mean_curves([row.by["occlusion"] for row in told[0].rows])
    for way in ("insertion", "deletion"):
        ends = [curves[name][[0, -1]] for name in (way, f"random {way}")]
        np.testing.assert_allclose(*ends, atol=1e-6)
