"""The rate at each step equals transformers' schedulers, which count from zero warm-up instead of
one."""

from __future__ import annotations

import math

import pytest

from multigraft.recipe import Training
from multigraft.training.learning_rate import rate_factor


@pytest.mark.parametrize("name", ["linear", "cosine", "constant"])
def test_after_the_warm_up_it_is_the_transformers_schedule(name: str) -> None:
    import torch
    from transformers import get_scheduler

    total, rising = 40, 8
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_scheduler(
        "constant_with_warmup" if name == "constant" else name,
        optimizer,
        num_warmup_steps=rising,
        num_training_steps=total,
    )
    training = Training(schedule=name, warmup=rising / total)  # type: ignore[arg-type]
    for step in range(total):
        if step >= rising:
            assert rate_factor(step, total, training) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()


def test_the_warm_up_rises_to_the_peak() -> None:
    training = Training(warmup=0.25)
    assert [rate_factor(step, 16, training) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]


def test_no_warm_up() -> None:
    training = Training(warmup=0, schedule="cosine")
    assert rate_factor(0, 10, training) == 1
    assert rate_factor(5, 10, training) == pytest.approx(0.5)
    assert math.isclose(rate_factor(9, 10, training), 0.5 * (1 + math.cos(math.pi * 0.9)))
