"""A batch whose rows meet in the loss is computed in parts where memory runs out, and learns the
same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import multigraft as mg
import multigraft_text as text
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import LENGTHS, Outputs
from multigraft.data import Epoch, iterate
from multigraft.models.graft import Graft
from multigraft.system.compute.precision import FP32
from multigraft.training.forward import Forward
from multigraft.training.step import Gradient

FIRST, SECOND = slice(4), slice(4, 8)
WORDS = "river house people night music winter garden letter".split()


def trained(folder: Path) -> mg.Run:
    rows = [
        {"text": f"{word} {number}", "text_pair": f"the {number} {word}", "negative": f"no {word}"}
        for number in range(4)
        for word in WORDS
    ]
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = {
        "task": "sentence-similarity",
        "backbone": {"name": "bert-tiny", "weights": "scratch", "dropout": 0.0},
        "data": {
            "train": str(folder / "rows.jsonl"),
            "split": {"validation": 0, "test": 0},
            "leakage": {"allowed": 1},
        },
        "training": {
            "epochs": 2,
            "batch_size": 16,
            "learning_rate": 0.003,
            "precision": "fp32",
            "compile": "off",
        },
        "output": str(folder / "run"),
    }
    return mg.Engine([text], discover=False).start(recipe, "finetune")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    return trained(tmp_path_factory.mktemp("cached") / "run")


def plain(run: mg.Run) -> Forward:
    return Forward(run, device=torch.device("cpu"), precision=FP32)


def test_a_training_that_does_not_fit_goes_on_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    forward, seen = Graft.forward, []

    def cramped(self: Graft, batch: Batch) -> Outputs:
        seen.append(len(batch["input_ids"]))
        if seen[-1] > 6:
            raise RuntimeError("out of memory")
        return forward(self, batch)

    monkeypatch.setattr(Graft, "forward", cramped)
    tight = trained(tmp_path / "tight")
    assert "each batch is now computed in 8 microbatches" in caplog.text
    assert tight.report is not None
    fitting = [count for count in seen if count <= 6]
    assert fitting == [6] * (2 * 2 * 8 * 2), "two epochs of two batches, in eight parts, twice"


@pytest.mark.parametrize("parts", [1, 2, 3, 16])
def test_parts_have_the_gradient_of_the_whole(run: mg.Run, parts: int) -> None:
    run.graft.train()
    gradient = Gradient(run, plain(run))
    step = [batch_of(run, 0), batch_of(run, 16)]
    whole = gradient.compute([(rows, without_lengths(batch)) for rows, batch in step], 1)
    wanted = [each.grad.clone() for each in gradient.parameters if each.grad is not None]
    found = gradient.compute(step, parts)
    assert found.microbatches == parts
    assert found.loss == pytest.approx(whole.loss, rel=1e-6)
    grads = [each.grad for each in gradient.parameters if each.grad is not None]
    for one, other in zip(grads, wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-4 * float(other.abs().max()) + 1e-7)


def without_lengths(batch: Batch) -> Batch:
    """A batch that is computed as one."""
    return {name: array for name, array in batch.items() if name != LENGTHS}


def test_a_processor_computes_texts_of_like_length_together(
    run: mg.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes, forward = [], Graft.forward

    def seen(self: Graft, batch: Batch) -> Outputs:
        shapes.append(tuple(batch["input_ids"].shape))
        return forward(self, batch)

    monkeypatch.setattr(Graft, "forward", seen)
    rows, batch = batch_of(run, 0)
    run.graft.eval()
    parts, whole = (
        plain(run).in_parts(each, rows, 1)["embedding"] for each in (batch, without_lengths(batch))
    )
    longest = batch["attention_mask"].sum(1).sort(descending=True).values[::8].tolist()
    assert shapes == [*((8, length) for length in longest), (48, longest[0])]
    assert longest[-1] < longest[0]
    assert torch.allclose(parts, whole, atol=1e-6)


def batch_of(run: mg.Run, start: int) -> tuple[np.ndarray, Batch]:
    """Sixteen training rows as a step takes them."""
    numbers = [np.arange(start, start + 16)]
    return next(iter(iterate(run.rows["train"], numbers, Epoch(seed=0))))


def test_a_part_draws_the_same_dropout_again(run: mg.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in run.graft.train().modules():
        if isinstance(module, torch.nn.Dropout):
            monkeypatch.setattr(module, "p", 0.5)
    forward = plain(run)
    ids = torch.randint(5, 20, (8, 6))
    batch = {"input_ids": ids, "attention_mask": ids > 0, "token_type_ids": ids * 0}
    halves = [{name: array[half] for name, array in batch.items()} for half in (FIRST, SECOND)]
    found = []
    for cached in (True, False):
        run.graft.zero_grad()
        torch.manual_seed(3)
        embedding = (
            forward.in_parts(batch, np.arange(8), 2)["embedding"]
            if cached
            else torch.cat([forward(half, np.arange(8))["embedding"] for half in halves])
        )
        embedding[:, 0].sum().backward()
        gradients = [each.grad for each in run.graft.parameters() if each.grad is not None]
        found.append([embedding.detach(), *(gradient.clone() for gradient in gradients)])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
