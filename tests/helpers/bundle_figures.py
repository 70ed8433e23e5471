"""A bundle's figures beside those of its run, on the same rows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

import multigraft as mg


def figures_agree(
    run: mg.Run,
    data: Any = None,
    *,
    without: Collection[str] = ("loss",),
    catalog: mg.Catalog | None = None,
    folder: Any = None,
    **asked: Any,
) -> mg.Report:
    """Measure a run's fp32 bundle and the run on the same rows, of its recipe unless given; the
    bundle's report. Names, figures and intervals must be the run's, ``without`` the metrics that
    need torch."""
    source = data if data is not None else run.recipe.data.test or run.recipe.data.train
    known = run.catalog if catalog is None else catalog
    predictor = mg.load(folder or run.folder / "bundle", precision="fp32", catalog=known)
    count = run.recipe.evaluation.bootstrap
    found = mg.evaluate(predictor, source, name="there", catalog=known, bootstrap=count, **asked)
    wanted = run.evaluate(source, name="there", quiet=True, **asked)
    assert list(found.metrics) == [name for name in wanted.metrics if name not in without]
    for name, measure in found.metrics.items():
        same = (measure.value, measure.low, measure.high)
        other = (each := wanted.metrics[name]).value, each.low, each.high
        assert same == pytest.approx(other, abs=2e-6, rel=1e-5), name
    for fact in ("rows", "data", "intervals", "asked"):
        assert found.facts.get(fact) == wanted.facts.get(fact)
    assert found.baseline == wanted.baseline
    assert found.confusion == wanted.confusion
    assert found.title == f"{run.resolved.task.name} with {run.recipe.backbone_name} on there"
    assert [note for note in wanted.notes if "left out" in note] == [
        note for note in found.notes if "left out" in note
    ]
    return found
