"""One row alone is normalised by what was learned so far, and leaves no trace in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import multigraft as mg
from helpers.samples import write_images
from multigraft.training.lone_rows import lone_rows


def learned() -> nn.Sequential:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 3, 2), nn.BatchNorm2d(3), nn.AdaptiveAvgPool2d(1))
    network(torch.randn(8, 1, 2, 2))
    return network.train()


def test_one_value_a_channel_is_taken_as_in_evaluation() -> None:
    network, row = learned(), torch.randn(1, 1, 2, 2)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        network(row)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with lone_rows(network):
        found = network(row)
    assert network[1].training and torch.equal(found, network.eval()(row))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_more_values_are_normalised_as_ever() -> None:
    plain, wrapped = learned(), learned()
    for batch in (torch.randn(2, 1, 2, 2), torch.randn(1, 1, 5, 5)):
        with lone_rows(wrapped):
            found = wrapped(batch)
        assert torch.equal(found, plain(batch))
    ours, theirs = wrapped.state_dict(), plain.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_what_fails_within_leaves_the_mode_and_no_hook() -> None:
    norm = nn.BatchNorm1d(3)
    with lone_rows(norm), pytest.raises(RuntimeError):
        norm(torch.randn(1, 3).to(torch.long))
    assert norm.training and not norm._forward_hooks and not norm._forward_pre_hooks


def test_an_epoch_may_end_with_one_row(tmp_path: Path) -> None:
    run = mg.finetune(
        task="image-classification",
        backbone={"name": "resnet-tiny", "weights": "scratch"},
        data={"train": str(write_images(tmp_path, 9)), "split": {"validation": 0, "test": 0}},
        training={"epochs": 1, "batch_size": 4, "workers": 0, "precision": "fp32"},
        reader={"size": 32},
        output=tmp_path / "run",
    )
    assert run.facts["steps"] == 3
