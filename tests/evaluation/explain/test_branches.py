"""Several branches: each has its own units, whose weights add up together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import multigraft as mg
from helpers.samples import write_both


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    folder = tmp_path_factory.mktemp("both")
    return mg.finetune(
        task="classification",
        backbone={"text": "bert-tiny", "image": "resnet-tiny"},
        data={"train": str(write_both(folder, 40)), "missing": "allow"},
        training={"steps": 6, "batch_size": 8},
        export={"precisions": ["fp32"]},
        output=folder / "run",
        quiet=True,
    )


def test_a_text_and_a_picture_are_explained_together(run: mg.Run, tmp_path: Path) -> None:
    rows = [run.rows["train"].raw(number) for number in range(5)]
    predictor = mg.load(run.export(quiet=True).files["bundle"])
    found = run.explain(
        rows,
        method=["occlusion", "integrated-gradients"],
        sanity=False,
        faithfulness=False,
        into=tmp_path,
        quiet=True,
    )
    for raw, row in zip(rows, found.rows, strict=True):
        there = {name for name, value in raw.items() if value is not None}
        by = row.by["integrated-gradients"]
        assert set(by.units) == there, "what a row lacks has no units"
        assert by.told["completeness_error"] <= 0.01 or abs(by.value - by.hidden) < 1e-2
        alone = predictor.explain(raw)
        np.testing.assert_allclose(alone.weights, row.by["occlusion"].weights, atol=1e-5)
    page = (tmp_path / "explanations.html").read_text()
    assert '<p class="soft branch">image</p>' in page
