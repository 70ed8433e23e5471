"""One chapter told with a budget of a few steps: all of its parts, not its scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from multigraft.cli.demo.chapters import CHAPTERS
from multigraft.cli.demo.figures import HEADING, row, summary
from multigraft.cli.demo.story import Ending, tell
from multigraft.evaluation.report.page import write_page

SEEDS = (0, 1)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ending, list[str]]:
    chapter = next(chapter for chapter in CHAPTERS if chapter.modality == "image")
    short = replace(
        chapter,
        pretraining={**chapter.pretraining, "training": {"steps": 2, "batch_size": 64}},
        finetuning={**chapter.finetuning, "training": {"steps": 2, "batch_size": 16}},
    )
    lines: list[str] = []
    return tell(short, tmp_path_factory.mktemp("image"), seeds=SEEDS, say=lines.append), lines


def test_both_starts_are_measured_for_each_seed(told: tuple[Ending, list[str]]) -> None:
    ending, _ = told
    assert len(ending.scratch) == len(ending.pretrained) == len(SEEDS)
    assert all(0 <= accuracy <= 1 for accuracy in (*ending.scratch, *ending.pretrained))
    weights = [report.facts["weights"] for report in ending.reports[:2]]
    assert weights[0] == "scratch"
    assert Path(weights[1]).parent.name == "pretrained"


def test_the_bundle_answers_without_torch_as_the_run_does(told: tuple[Ending, list[str]]) -> None:
    ending, _ = told
    same, asked = ending.agreeing["fp32"]
    assert same == asked > 0
    assert ending.exported["torch"]["milliseconds"] > 0
    assert ending.exported["fp32"]["accuracy"] == pytest.approx(ending.pretrained[0], abs=0.005)


def test_progress_is_told_and_the_page_holds_the_table(
    told: tuple[Ending, list[str]], tmp_path: Path
) -> None:
    ending, lines = told
    assert [line.split()[0] for line in lines[1:]] == [
        "pretraining",
        "finetuning",
        "finetuning",
        "exporting,",
    ]
    assert len(row(ending)) == len(HEADING)
    report = summary([ending], seconds=1.0)
    page = write_page([report, *ending.reports], tmp_path / "report.html", title=report.title)
    assert "equal answers without torch" in page.read_text(encoding="utf-8")
