"""What a pass costs follows from the network, and small networks pay more for one."""

from __future__ import annotations

import math

from torch import nn

from multigraft.training.pass_cost import PER_MODULE, PER_WEIGHT, pass_cost


def test_modules_count_against_the_weights_of_a_position() -> None:
    network = nn.Sequential(nn.Embedding(1000, 10), nn.Linear(10, 20), nn.LayerNorm(20))
    added = 1000 * 10 + 10 * 20 + 20 + 2 * 20
    assert pass_cost(network) == (PER_MODULE * 3 + PER_WEIGHT * added) / 200
    wide = nn.Sequential(nn.Linear(100, 200), nn.LayerNorm(200))
    assert pass_cost(wide) < pass_cost(network) / 100


def test_rows_that_are_looked_up_are_added_but_not_multiplied() -> None:
    plain, large = (
        nn.Sequential(nn.Embedding(words, 50), nn.Linear(50, 50)) for words in (10, 100_000)
    )
    assert pass_cost(large) - pass_cost(plain) == PER_WEIGHT * 50 * (100_000 - 10) / 2500


def test_a_network_without_matrices_is_passed_once() -> None:
    assert pass_cost(nn.LayerNorm(4)) >= PER_MODULE


def test_batch_norms_see_all_rows_of_a_batch_at_once() -> None:
    assert math.isinf(pass_cost(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))))
