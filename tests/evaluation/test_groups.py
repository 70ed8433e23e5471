"""Metrics by group: each equals the metric of its rows alone, and too many groups are refused."""

from __future__ import annotations

import numpy as np
import pytest

from multigraft.errors import RunError
from multigraft.evaluation.groups import GROUP, GroupMetrics, groups_of
from multigraft.evaluation.statistics import intervals


class Error:
    def summarise(self, kept) -> dict[str, float]:  # type: ignore[no-untyped-def]
        assert GROUP not in kept
        return {"error": float(kept["error"].mean())}


def test_each_group_has_the_metric_of_its_rows_and_the_worst_its_own() -> None:
    rng = np.random.default_rng(0)
    names, places = groups_of(["x", None, "y", "", "x", "x"] * 20, "domain")
    assert names == ("(empty)", "x", "y")
    kept = {"error": rng.random(120), GROUP: places}
    grouped = GroupMetrics(Error(), "error", False, names)
    found = grouped.summarise(kept)
    for place, name in enumerate(names):
        assert found[f"error of {name}"] == kept["error"][places == place].mean()
    assert found["worst_group_error"] == max(found[f"error of {name}"] for name in names)
    measures = intervals(grouped, kept, count=200, confidence=0.95, seed=0)
    for measure in measures.values():
        assert measure.low is not None
        assert measure.high is not None
        assert measure.low <= measure.value <= measure.high
    kept_measures, (heading, *lines) = grouped.told(measures, places)
    assert set(kept_measures) == {"error", "worst_group_error"}
    assert heading == ("group", "rows", "error", "interval")
    assert sorted(line[:2] for line in lines) == [("(empty)", "40"), ("x", "60"), ("y", "20")]
    told = [float(line[2]) for line in lines]
    assert told == sorted(told, reverse=True)


def test_a_group_that_a_resample_misses_still_has_an_interval() -> None:
    names, places = groups_of(["many"] * 50 + ["few"] * 2, "domain")
    kept = {"error": np.linspace(0, 1, 52), GROUP: places}
    found = intervals(
        GroupMetrics(Error(), "error", False, names), kept, count=200, confidence=0.95, seed=0
    )
    assert found["error of few"].low is not None


def test_what_is_no_domain_is_refused() -> None:
    with pytest.raises(RunError, match=r"column 'text' holds 201 different values; .* at most 200"):
        groups_of([str(number) for number in range(201)], "text")
