"""Which layers stay float: the ranking, the search, and the sentence of the gate."""

from __future__ import annotations

import numpy as np
import pytest

from multigraft.contracts.report import Measure
from multigraft.contracts.types import Arrays
from multigraft.export.acceptance.verdict import Evidence, Judge, rows_needed
from multigraft.export.precision.sensitivity import Deadline, Layers, fewest, noise, rank

LAYERS = tuple("abcdefgh")
LATER = Deadline.after(3600)


@pytest.mark.parametrize("needed", range(1, 8))
def test_the_fewest_layers_are_found_in_few_trials(needed: int) -> None:
    asked: list[int] = []

    def trial(floats: Layers) -> str | None:
        asked.append(len(floats))
        return "enough" if len(floats) >= needed else None

    found = fewest([(name,) for name in LAYERS], trial, deadline=LATER)
    assert found is not None and found.floats == LAYERS[:needed]
    assert len(asked) == len(set(asked)) <= 6


def test_all_layers_in_float_are_not_tried() -> None:
    asked: list[int] = []

    def never(floats: Layers) -> None:
        asked.append(len(floats))

    assert fewest([(name,) for name in LAYERS], never, deadline=LATER) is None
    assert asked == [1, 2, 4, 7]


def test_a_search_ends_with_its_time() -> None:
    over = Deadline.after(0)
    assert fewest([("a",), ("b",)], lambda floats: floats, deadline=over) is None


def test_layers_are_ranked_by_their_own_damage() -> None:
    harm = {"a": 0.1, "b": 0.5, "c": 0.0, "d": 0.3}
    groups, damages = rank(
        tuple(harm), lambda layers: sum(harm[name] for name in layers), deadline=LATER
    )
    assert groups == [("b",), ("d",), ("a",), ("c",)]
    assert damages == [0.5, 0.3, 0.1, 0.0]


def test_layers_are_ranked_together_where_time_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look takes a second, and four are left after the first: four groups of two."""
    now = [0.0]
    monkeypatch.setattr("multigraft.export.precision.sensitivity.time.monotonic", lambda: now[0])
    deadline = Deadline.after(5)

    def damage(layers: Layers) -> float:
        now[0] += 1
        return float("g" in layers)

    groups, _ = rank(LAYERS, damage, deadline=deadline)
    assert groups[0] == ("g", "h") and sorted(sum(groups, ())) == list(LAYERS)
    assert all(len(group) == 2 for group in groups)


def test_noise_is_a_share_of_the_energy() -> None:
    batch: list[Arrays] = [{"x": np.array([3.0, 4.0])}]
    wanted: list[Arrays] = [{"y": np.array([3.0, 4.0]), "mask": np.array([True])}]
    assert noise(lambda arrays: {"y": arrays["x"]}, wanted, batch) == 0  # type: ignore[index]
    louder = noise(lambda arrays: {"y": arrays["x"] * 1.1}, wanted, batch)  # type: ignore[index]
    assert louder == pytest.approx(0.01)
    broken = noise(lambda arrays: {"y": arrays["x"] * np.nan}, wanted, batch)  # type: ignore[index]
    assert broken > 1e6


def evidence(right: np.ndarray) -> Evidence:
    return Evidence(
        "accuracy", Measure(float(right.mean())), len(right), None, 0.0, {"right": right}
    )


def judge(budget: float = 0.5, rows: int = 100) -> Judge:
    return Judge(
        metric="accuracy",
        greater_is_better=True,
        score=lambda kept: float(kept["right"].mean()),
        budget=budget,
        rows=rows,
        resamples=400,
        confidence=0.95,
        seed=0,
    )


def test_the_interval_is_of_the_same_rows_of_both() -> None:
    """Half of the rows are wrong in both; three more in one alone: their difference is known
    well."""
    fp32 = np.arange(1000) % 2
    int8 = fp32.copy()
    int8[[1, 3, 5]] = 0
    loss = judge().loss(evidence(int8), evidence(fp32))
    assert loss.points == pytest.approx(0.3)
    assert loss.low is not None and loss.high is not None
    # a binomial of 3 in 1000; each alone has +- 3 points
    assert 0 <= loss.low < 0.3 < loss.high <= 0.8
    assert str(loss).startswith("0.30 [")


def test_equal_answers_lose_nothing_for_certain() -> None:
    same = evidence(np.arange(300) % 3)
    verdict = judge().verdict(same, same)
    assert verdict.accepted
    assert verdict.reason == "loses 0.00 [0.00, 0.00] of 0.5 allowed (accuracy 1, fp32 1, 300 rows)"


def test_nan_is_refused() -> None:
    nan = Evidence("accuracy", Measure(float("nan")), 200, None, 0.0, {"right": np.ones(200)})
    assert not judge().verdict(nan, evidence(np.ones(200))).accepted


def test_too_few_rows_are_told() -> None:
    few = evidence(np.ones(99))
    verdict = judge().verdict(few, few)
    assert not verdict.accepted
    assert verdict.reason.endswith(
        "99 held-out rows are too few to tell a loss of 0.5 points; 100 are needed (export.rows)"
    )


def test_one_row_may_count_no_more_than_the_budget() -> None:
    assert [rows_needed(budget) for budget in (0.5, 0.3, 1, 5, 0, 0.01)] == [
        200,
        334,
        100,
        50,
        1000,
        1000,
    ]
