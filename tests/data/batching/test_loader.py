from __future__ import annotations

import multiprocessing
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from multigraft.contracts.objectives import Objective
from multigraft.contracts.reader import Augment, Reader
from multigraft.contracts.records import Modality
from multigraft.contracts.types import Arrays
from multigraft.data import Epoch, Rows, iterate, load_table, plan_batches
from multigraft.errors import DataError, PluginError, RowError

One = tuple[list[int], dict[str, torch.Tensor]]
Loaded = list[One]
Start = Callable[..., Loaded]


def add_noise(row: Arrays, rng: np.random.Generator) -> Arrays:
    return {**row, "codes": row["codes"] + rng.integers(1000, 2000, len(row["codes"]))}


@pytest.fixture
def rows(letters: Path, text: Modality, reader: Reader, objective: Objective) -> Rows:
    table = load_table(str(letters), modality=text, columns={})
    return Rows.audit(table, reader, objective, allowed_bad=0, name="train")


@pytest.fixture
def begin(rows: Rows, reader: Reader, objective: Objective) -> Callable[..., Iterator[One]]:
    """The batches of an epoch as they are read, augmented in training."""

    def start(
        epoch: int = 0,
        *,
        seed: int = 3,
        train: bool = True,
        size: int = 6,
        augment: Augment | None = add_noise,
        **changed: Any,
    ) -> Iterator[One]:
        batches = plan_batches(rows.lengths, size=size, seed=0, epoch=0, shuffle=train)
        passing = Epoch(seed=seed, number=epoch, augment=augment, train=train)
        found = iterate(rows, batches, passing, **changed)
        return ((indices.tolist(), batch) for indices, batch in found)

    return start


@pytest.fixture
def load(begin: Callable[..., Iterator[One]]) -> Start:
    """All batches of an epoch."""
    return lambda *arguments, **changed: list(begin(*arguments, **changed))


def equal(one: Loaded, two: Loaded) -> bool:
    return len(one) == len(two) and all(
        left[0] == right[0]
        and left[1].keys() == right[1].keys()
        and all(torch.equal(left[1][name], right[1][name]) for name in left[1])
        for left, right in zip(one, two, strict=True)
    )


def test_a_batch_is_its_rows_padded(rows: Rows, load: Start) -> None:
    loaded = load(train=False)
    assert sorted(index for indices, _ in loaded for index in indices) == list(range(40))
    for indices, batch in loaded:
        longest = max(rows.lengths[indices])
        assert batch["codes"].shape == (len(indices), longest)
        assert batch["codes"].dtype == torch.int64
        for index, codes, label in zip(indices, batch["codes"], batch["label"], strict=True):
            padded = np.pad(rows[index]["codes"], (0, longest - rows.lengths[index]))
            assert codes.tolist() == padded.tolist()
            assert int(label) == int(rows[index]["label"])


def test_the_same_seed_and_epoch_give_the_same_bits(load: Start) -> None:
    assert equal(load(0), load(0))
    assert not equal(load(0), load(1))
    assert not equal(load(0), load(0, seed=4))


def test_evaluation_is_the_same_in_every_epoch_and_not_augmented(load: Start) -> None:
    assert equal(load(0, train=False), load(7, train=False))
    assert all(int(batch["codes"].max()) < 1000 for _, batch in load(train=False))
    assert all(int(batch["codes"].max()) >= 1000 for _, batch in load(train=True))


def test_chance_follows_the_row_and_not_its_batch(
    rows: Rows, reader: Reader, objective: Objective
) -> None:
    views = []
    for batches in ([np.array([4, 9])], [np.array([7]), np.array([9, 1, 4])]):
        found = iterate(
            rows,
            batches,
            Epoch(seed=0, number=2, train=True),
        )
        views.append(
            {
                int(i): view.tolist()
                for at, batch in found
                for i, view in zip(at, batch["view"], strict=True)
            }
        )
    assert views[0][4] == views[1][4] != views[0][9] == views[1][9]


@pytest.mark.parametrize("start", [0, 4, 7])
def test_workers_change_no_bit(load: Start, start: int) -> None:
    assert equal(load(workers=2, start=start), load(start=start))


needs_senders = pytest.mark.skipif(
    not hasattr(signal, "sigwaitinfo"), reason="a signal's sender cannot be told here"
)


@needs_senders
def test_workers_outlive_a_signal_to_the_whole_group(
    load: Start, begin: Callable[..., Iterator[One]]
) -> None:
    loaded = begin(size=2, workers=2)
    given = [next(loaded)]
    workers = [str(child.pid) for child in multiprocessing.active_children()]
    assert len(workers) == 2
    for name in ("TERM", "INT"):
        subprocess.run(["kill", f"-{name}", *workers], check=True)  # the sender is not their parent
    assert equal([*given, *loaded], load(size=2))


@needs_senders
def test_workers_leave_when_their_parent_says_so(begin: Callable[..., Iterator[One]]) -> None:
    loaded = begin(size=2, workers=1)
    next(loaded)
    (worker,) = multiprocessing.active_children()
    worker.terminate()
    worker.join(10)
    assert worker.exitcode == 0


def test_a_thread_changes_no_bit(load: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = load()
    monkeypatch.setattr("multigraft.data.batching.prefetch.SLOW", 0.0)
    waits: list[float] = []
    assert equal(load(waits=waits), alone)
    assert len(waits) == len(alone)
    assert min(waits) >= 0


def test_a_late_start_is_the_tail(load: Start, reader: Any) -> None:
    assert equal(load(start=3), load()[3:])
    assert load(start=7) == []
    assert load(start=7, workers=2) == []


@pytest.mark.usefixtures("no_cache")
def test_skipped_batches_are_not_read(
    letters: Path, text: Modality, reader: Any, objective: Objective
) -> None:
    table = load_table(str(letters), modality=text, columns={})
    rows = Rows.audit(table, reader, objective, allowed_bad=0, name="train", memory=0)
    batches = plan_batches(rows.lengths, size=6, seed=0, epoch=0, shuffle=True)
    before = reader.reads
    loaded = iterate(
        rows,
        batches,
        Epoch(seed=0, train=True),
        start=len(batches) - 1,
    )
    ((indices, _),) = loaded
    assert reader.reads - before == len(indices)


@pytest.mark.parametrize("workers", [0, 1])
def test_torch_draws_nothing(load: Start, workers: int) -> None:
    before = torch.random.get_rng_state()
    load(workers=workers)
    assert torch.equal(before, torch.random.get_rng_state())


def test_an_objective_may_pad_its_targets(load: Start, objective: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(objective, "view", lambda row, rng: {**row, "tags": row["codes"] % 2})
    with pytest.raises(ValueError, match="same shape"):
        load()
    monkeypatch.setattr(objective, "fills", {"tags": -100}, raising=False)
    for _, batch in load(augment=None):
        assert ((batch["tags"] == -100) == (batch["codes"] == 0)).all()


def test_only_a_view_of_its_own_is_asked(load: Start, monkeypatch: Any, objective: Any) -> None:
    monkeypatch.setattr(type(objective), "view", Objective.view)
    assert load(train=False)[0][1].keys() == {"codes", "label", "noise"}
    monkeypatch.setattr(objective, "view", lambda row, rng: {**row, "own": rng.random(1)})
    assert "own" in load(train=False)[0][1]


def test_arrays_that_are_no_numbers_are_named(
    load: Start, objective: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(objective, "prepare", lambda batch, rng: {"names": np.array(["a"])})
    with pytest.raises(PluginError, match="array 'names' is of <U1"):
        load()


@pytest.mark.usefixtures("no_cache")
@pytest.mark.parametrize("workers", [0, 1])
def test_a_row_that_breaks_later_is_named(
    letters: Path, text: Modality, reader: Any, objective: Objective, workers: int
) -> None:
    table = load_table(str(letters), modality=text, columns={})
    rows = Rows.audit(table, reader, objective, allowed_bad=0, name="train", memory=0)

    def read(raw: Any) -> Arrays:
        raise RowError("the disk is gone")

    reader.read = read
    batches = [np.array([2])]
    loaded = iterate(
        rows,
        batches,
        Epoch(seed=0, train=True),
        workers=workers,
    )
    with pytest.raises(DataError, match=r"letters\.csv row 3: could be read before"):
        list(loaded)


def test_tensors_can_be_written(load: Start, objective: Any, monkeypatch: Any) -> None:
    fixed = np.zeros((3, 2))[:, ::-1]
    fixed.setflags(write=False)
    monkeypatch.setattr(objective, "prepare", lambda batch, rng: {"fixed": fixed})
    tensor = load()[0][1]["fixed"]
    tensor += 1
    assert fixed.sum() == 0
