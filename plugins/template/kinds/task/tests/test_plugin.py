"""The whole way: finetune, evaluate, export, predict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import multigraft as mg
from multigraft_sapling.answers import describe, number

WET = "rain river sea lake wave flood pond brook tide ocean storm spring".split()
DRY = "sand stone dust desert brick iron wood glass bread chalk salt paper".split()


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Texts of ten words, and how many of them speak of water."""
    rng = np.random.default_rng(0)
    lines = ["text,target"]
    for _ in range(240):
        wet = int(rng.integers(0, 11))
        words = [*rng.choice(WET, wet), *rng.choice(DRY, 10 - wet)]
        lines.append(f"{' '.join(rng.permutation(words))},{wet}")
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_from_rows_to_answers(rows: Path, tmp_path: Path) -> None:
    run = mg.finetune(
        task="sapling",
        backbone={"name": "bert-tiny", "weights": "scratch"},
        data=str(rows),
        training={"epochs": 8, "batch_size": 16, "learning_rate": 0.003},
        evaluation={"bootstrap": 20},
        export={"precisions": ["fp32"]},
        output=str(tmp_path / "run"),
    )
    assert run.evaluate().metrics["mean_absolute_error"].value < 2, (
        "always saying 5 is wrong by 2.7"
    )
    predictor = mg.load(run.export().files["bundle"])
    dry, wet = predictor.predict([" ".join(DRY[:10]), " ".join(WET[:10])])
    assert dry["value"] < 3
    assert wet["value"] > 7
    rounded = predictor.predict(" ".join(WET[:10]), digits=1)
    assert rounded == {"value": round(wet["value"], 1)}


@pytest.mark.parametrize("cell", ["much", "", None, "nan", "inf"])
def test_a_cell_that_is_no_number_is_a_row_error(cell: object) -> None:
    with pytest.raises(mg.RowError):
        number(cell)


def test_targets_are_described_by_those_that_are_numbers() -> None:
    assert describe({"target": ["1", 3, None, "x"]}) == {"mean": 2.0, "spread": 1.0}
    assert describe({"target": [5, 5]}) == {"mean": 5.0, "spread": 1.0}
