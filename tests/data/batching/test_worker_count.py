from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multigraft.contracts.objectives import Objective
from multigraft.contracts.reader import Reader
from multigraft.contracts.records import Modality
from multigraft.contracts.types import Arrays
from multigraft.data import Epoch, Rows, choose_workers, load_table


@pytest.fixture
def choose(letters: Path, text: Modality, reader: Reader, objective: Objective) -> Any:
    table = load_table(str(letters), modality=text, columns={})
    rows = Rows.audit(table, reader, objective, allowed_bad=0, name="train")

    def start(milliseconds: float, **changed: Any) -> int:
        def augment(row: Arrays, rng: np.random.Generator) -> Arrays:
            time.sleep(milliseconds / 1000)
            return row

        asked = {"accelerated": True, "cores": 16, "batch_size": 32, **changed}
        return choose_workers(rows, Epoch(seed=0, augment=augment, train=True), **asked)

    return start


def test_quick_rows_are_read_in_the_process(choose: Any) -> None:
    assert choose(0, batch_size=4) == 0


def test_slow_rows_take_what_keeps_up_with_a_step(choose: Any) -> None:
    assert 2 <= choose(1.5) <= 6
    assert choose(20) == 8


def test_the_cores_bound_it(choose: Any) -> None:
    assert choose(20, cores=1) == 0
    assert choose(20, cores=2) == 1
    assert choose(20, cores=2, accelerated=False) == 0
    assert choose(20, cores=8, accelerated=False) == 2
