"""The whole way, with this plugin alone: pretrain, finetune, export, predict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import multigraft as mg
import multigraft_series
from multigraft_series.reader import SeriesReader


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Series that rise or fall."""
    rng = np.random.default_rng(0)
    lines = ["series,label"]
    for index in range(120):
        values = np.sort(rng.normal(size=rng.integers(4, 12)))[:: 1 if index % 2 else -1]
        lines.append(
            " ".join(f"{value:.3f}" for value in values) + f",{'up' if index % 2 else 'down'}"
        )
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_records_are_admitted() -> None:
    catalog = mg.Catalog([multigraft_series], discover=False, strict=True)
    assert catalog.backbone("tcn-tiny")[0].modality == "series"


def test_from_pretraining_to_answers(rows: Path, tmp_path: Path) -> None:
    engine = mg.Engine([multigraft_series], discover=False)
    common = {
        "data": str(rows),
        "training": {"epochs": 20, "learning_rate": 0.01},
        "export": {"precisions": ["fp32"]},
    }
    pretrained = engine.start(
        {
            "task": "series-denoising",
            "backbone": "tcn-tiny",
            "output": str(tmp_path / "a"),
            **common,
        },
        "pretrain",
    )
    backbone = {"name": "tcn-tiny", "weights": str(pretrained.folder)}
    run = engine.start(
        {
            "task": "series-classification",
            "backbone": backbone,
            "output": str(tmp_path / "b"),
            **common,
        },
        "finetune",
    )
    assert run.evaluate().metrics["accuracy"].value > 0.8
    bundle = run.export().files["bundle"]
    answers = mg.load(bundle, catalog=engine.catalog).predict(["-2 -1 0 1 2", "2 1 0 -1 -2"])
    assert [answer["label"] for answer in answers] == ["up", "down"]


@pytest.mark.parametrize("raw", ["", "1 two", "1 nan", 3, None])
def test_a_bad_value_is_a_row_error(raw: object) -> None:
    with pytest.raises(mg.RowError):
        SeriesReader({"longest": 8}).read(raw)
