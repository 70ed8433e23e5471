"""Several branches: each has its own units, whose weights add up together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import multigraft as mg


def test_a_text_and_a_table_are_explained_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {
            "text": None if number % 3 == 2 else f"a {('great', 'awful')[number % 2]} film",
            "table": {"age": float(rng.normal()), "year": 1990 + number},
            "label": ("first", "second")[number % 2],
        }
        for number in range(48)
    ]
    run = mg.finetune(
        task="classification",
        backbone={"text": "bert-tiny", "table": "mlp-plr-tiny"},
        data={"train": rows, "missing": "allow"},
        training={"steps": 8, "batch_size": 16},
        export={"precisions": ["fp32"]},
        output=tmp_path / "run",
        quiet=True,
    )
    raws = [{name: row[name] for name in ("text", "table")} for row in rows[:3]]
    predictor = mg.load(run.export(quiet=True).files["bundle"])
    methods = ["occlusion", "integrated-gradients"]
    found = run.explain(raws, method=methods, sanity=False, faithfulness=False, quiet=True)
    for raw, row in zip(raws, found.rows, strict=True):
        there = {name for name, value in raw.items() if value is not None}
        by = row.by["integrated-gradients"]
        assert set(by.units) == there, "what a row lacks has no units"
        np.testing.assert_allclose(by.weights.sum(), by.value - by.hidden, rtol=0.011, atol=1e-5)
        alone = predictor.explain(raw)
        np.testing.assert_allclose(alone.weights, row.by["occlusion"].weights, atol=1e-5)
    with pytest.raises(mg.MultigraftError, match="explains a value of one branch alone"):
        run.explain(raws[:1], method="attention-rollout", quiet=True)
    page = (run.folder / "explanations" / "explanations.html").read_text()
    assert '<p class="soft branch">text</p>' in page
    assert '<p class="soft branch">table</p>' in page
