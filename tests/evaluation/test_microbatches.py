"""Batches that do not fit are computed in microbatches, with the same sums."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers import short_of_memory
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs
from multigraft.engine import Engine
from multigraft.errors import MultigraftError, out_of_memory
from multigraft.evaluation.measure import measure_split
from multigraft.evaluation.microbatches import halve_on_shortage, split_batch
from multigraft.models.graft import Graft
from multigraft.runs.run import Run

CRASHED = "died with 11"
"""Of oneDNN itself: from AVX-512 on it runs kernels, and copies descriptors, that it found no
memory for."""


class PanicException(BaseException):
    """As Rust's libraries raise it: a class of that name, and no Exception."""


def test_microbatches_cover_the_batch_once() -> None:
    batch = {"x": torch.arange(7)}
    split = list(split_batch(np.arange(7), batch, 3))
    assert [len(rows) for rows, _ in split] == [3, 3, 1]
    assert torch.equal(torch.cat([each["x"] for _, each in split]), batch["x"])


def test_only_memory_errors_are_tried_again() -> None:
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert not out_of_memory(RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        halve_on_shortage(_fail, 1, 8)


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="limits of the address space are Linux's"
)
@pytest.mark.parametrize(
    ("kernels", "precision"),
    [
        ("AVX2", "fp32"),
        pytest.param("AVX2", "bf16", marks=pytest.mark.slow),  # emulated
        ("DEFAULT", "fp32"),
        ("DEFAULT", "bf16"),
    ],
)
def test_at_every_limit_a_step_takes_parts_or_says_that_memory_is_short(
    precision: str, kernels: str
) -> None:
    """Real allocations that fail, wherever they are: in torch, in oneDNN, in the backward pass."""
    script = Path(short_of_memory.__file__)
    done = subprocess.run(
        [sys.executable, str(script), precision],
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": kernels},
    )
    found = json.loads(done.stdout)
    every = {each for outcomes in found.values() for each in outcomes}
    if kernels == "DEFAULT":
        every.discard(CRASHED)
    assert all(each == "short" or each.isdigit() for each in every), found
    assert "1" in every
    assert every & {"2", "4", "8", "16", "short"}


def _fail(microbatches: int) -> None:
    raise RuntimeError("shapes do not match")


def test_a_real_allocation_that_fails_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert out_of_memory(caught.value)


@pytest.fixture
def cramped(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A graft for which more than so many rows do not fit."""

    def limit(most: int, says: str = "out of memory") -> None:
        forward = Graft.forward

        def cramped(self: Graft, batch: Batch) -> Outputs:
            if len(next(iter(batch.values()))) > most:
                raise RuntimeError(says)
            return forward(self, batch)

        monkeypatch.setattr(Graft, "forward", cramped)

    return limit


def run_with(finetune: Callable[..., Run], output: Any, **fields: Any) -> Run:
    training = {"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "precision": "fp32", **fields}
    task = {"name": "series-classification", "dropout": 0.0}
    return finetune(task=task, training=training, output=str(output))


def test_a_run_that_does_not_fit_ends_with_the_same_weights(
    finetune: Callable[..., Run],
    cramped: Callable[..., None],
    tmp_path: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # microbatches draw masks of their own
    monkeypatch.setattr(torch.nn.Dropout, "forward", lambda self, x: x)
    roomy = run_with(finetune, tmp_path / "roomy")
    cramped(5)
    tight = run_with(finetune, tmp_path / "tight")
    assert "memory ran out: each batch is now computed in 4 microbatches" in caplog.text
    for name, value in roomy.graft.state_dict().items():
        assert torch.allclose(value, tight.graft.state_dict()[name], atol=1e-5), name


def test_evaluation_halves_its_batches(
    finetune: Callable[..., Run], cramped: Callable[..., None], tmp_path: Any
) -> None:
    run = run_with(finetune, tmp_path / "run")
    whole = measure_split(run.graft, run.metrics, run.rows["test"], **run.reading())
    cramped(3)
    halved = measure_split(run.graft, run.metrics, run.rows["test"], **run.reading())
    for name in whole:
        assert np.allclose(whole[name], halved[name], atol=1e-6), name


def test_a_single_row_that_does_not_fit_is_an_error(
    finetune: Callable[..., Run], cramped: Callable[..., None], tmp_path: Any
) -> None:
    cramped(0)
    with pytest.raises(
        MultigraftError,
        match=r"memory ran out on a single row; set training.gradient_checkpointing",
    ):
        run_with(finetune, tmp_path / "run")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_onednn_says_ends_in_smaller_parts(
    finetune: Callable[..., Run],
    cramped: Callable[..., None],
    tmp_path: Any,
    caplog: pytest.LogCaptureFixture,
    precision: str,
) -> None:
    cramped(5, "could not create a primitive")
    run = run_with(finetune, tmp_path / "run", precision=precision)
    assert "memory ran out: each batch is now computed in 4 microbatches" in caplog.text
    assert run.evaluate().metrics["loss"].value > 0


@pytest.mark.parametrize("says", ["could not create a primitive", "std::bad_alloc"])
def test_memory_that_ends_elsewhere_is_our_error(
    finetune: Callable[..., Run], tmp_path: Any, says: str
) -> None:
    run = run_with(finetune, tmp_path / "run")

    def fails(*args: Any) -> Any:
        raise RuntimeError(says)

    run.objective.summarise = fails  # type: ignore[method-assign]
    with pytest.raises(
        MultigraftError, match=f"memory ran out \\({says}\\); lower training.batch_size"
    ):
        run.evaluate()


@pytest.mark.parametrize("error", [MemoryError(), PanicException("ThreadPoolBuildError")])
@pytest.mark.parametrize("verb", ["start", "resume", "open"])
def test_memory_that_ends_before_the_first_step_is_our_error(
    engine: Engine,
    finetune: Callable[..., Run],
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    error: BaseException,
) -> None:
    run = run_with(finetune, tmp_path / "run")

    def fails(*args: Any, **kwargs: Any) -> Any:
        raise error

    monkeypatch.setattr("multigraft.runs.assembly.assemble", fails)
    run.record(state="interrupted" if verb == "resume" else "finished")
    again = {
        "start": lambda: run_with(finetune, tmp_path / "other"),
        "resume": lambda: engine.resume(run.folder),
        "open": lambda: engine.open(run.folder),
    }
    with pytest.raises(MultigraftError, match="memory ran out"):
        again[verb]()
