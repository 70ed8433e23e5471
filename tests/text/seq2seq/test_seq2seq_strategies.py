"""Every strategy teaches an encoder-decoder, or says why it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from helpers.seq2seq_runs import made_texts, rows_of, trained
from multigraft.errors import RecipeError


@pytest.mark.parametrize(
    ("family", "strategy", "whole"),
    [
        ("t5", "full", True),
        ("t5", "layer-wise-decay", True),
        ("t5", "lora", False),
        ("bart", "bitfit", False),
        ("marian", {"name": "partial", "blocks": 2}, False),
    ],
    ids=str,
)
def test_it_learns_what_its_strategy_lets_learn(
    family: str, strategy: object, whole: bool, tmp_path: Path
) -> None:
    run = trained(tmp_path, family, rows_of(made_texts(20, seed=0)), strategy=strategy)
    rules = run.plan.rules.values()
    assert all(rule.learns for rule in rules) == whole
    assert run.plan.starts()[0] == 0.0, "something learns from the first step"
    assert all(bool(torch.isfinite(each).all()) for each in run.graft.parameters())


@pytest.mark.parametrize("strategy", ["linear-probe", "bitfit", "gradual-unfreezing"])
def test_a_strategy_that_leaves_nothing_to_learn_is_refused(strategy: str, tmp_path: Path) -> None:
    """A T5 has no biases, and the head of these tasks is the decoder, which is the backbone's."""
    with pytest.raises(RecipeError, match=f"{strategy} begins with the head alone, and that of"):
        trained(tmp_path, "t5", rows_of(made_texts(20, seed=0)), strategy=strategy)
