"""Losses of cosines, beside plain sums."""

from __future__ import annotations

import math

import pytest
import torch

from multigraft_text.similarity.losses import cosent_loss, cosine_loss


def test_the_cosine_loss_is_a_squared_error() -> None:
    found = cosine_loss(torch.tensor([0.5, -1.0]), torch.tensor([1.0, 1.0]), temperature=0.05)
    assert found.tolist() == [0.25, 4.0]


def test_cosent_by_hand() -> None:
    cosines, wanted = torch.tensor([0.2, 0.5, 0.1]), torch.tensor([1.0, 0.0, 0.0])
    terms = [math.exp((other - 0.2) / 0.5) for other in (0.5, 0.1)]
    found = cosent_loss(cosines, wanted, temperature=0.5)
    assert found.tolist() == pytest.approx([math.log(1 + sum(terms))] * 3, rel=1e-5)
    same = cosent_loss(cosines, torch.ones(3), temperature=0.5)
    assert same.tolist() == [0.0, 0.0, 0.0]
