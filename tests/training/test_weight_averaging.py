"""The running mean of the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from multigraft.runs.run import Run
from multigraft.training.weight_averaging import Average


def test_the_mean_is_the_sum_of_weighted_weights() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    average = Average(model, frozenset(), 0.9)
    expected = 1.0
    for step in range(1, 30):
        nn.init.constant_(model.weight, float(step))
        average.update(step)
        keep = min(0.9, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * step
    assert average.values["weight"].item() == pytest.approx(expected, rel=1e-6)


def test_whole_numbers_are_copied_and_what_rests_is_left_out() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2))
    average = Average(model, frozenset({"1.weight"}), 0.5)
    model(torch.randn(4, 2))
    average.update(1)
    assert average.values["0.num_batches_tracked"].item() == 1
    assert "1.weight" not in average.values


def test_applied_gives_the_own_weights_back_also_after_an_error() -> None:
    model = nn.Linear(2, 2)
    average = Average(model, frozenset(), 0.5)
    nn.init.constant_(model.weight, 3.0)
    with pytest.raises(RuntimeError), average.applied():
        assert not torch.equal(model.weight, torch.full((2, 2), 3.0))
        raise RuntimeError
    assert torch.equal(model.weight, torch.full((2, 2), 3.0))


@pytest.mark.parametrize(
    "split", [{"validation": 0.2, "test": 0.2}, {"validation": 0.0, "test": 0.2}]
)
def test_a_run_ends_with_the_mean(
    finetune: Callable[..., Run], tmp_path: Any, split: dict[str, float], rows: Any
) -> None:
    data = {"train": str(rows), "split": split}
    ends = []
    for name, ema in (("plain", None), ("mean", 0.9)):
        training = {"epochs": 3, "batch_size": 16, "learning_rate": 0.01, "ema": ema}
        run = finetune(data=data, training=training, output=str(tmp_path / name))
        ends.append({name: value.clone() for name, value in run.graft.state_dict().items()})
    assert any(not torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert all(torch.isfinite(value).all() for value in ends[1].values())
