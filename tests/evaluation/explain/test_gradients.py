"""Gradient methods, against captum and against what they must add up to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import multigraft as mg
from helpers.explained_runs import tiny
from multigraft.contracts.readers import read_row
from multigraft.evaluation.explain.grad_cam import as_map
from multigraft.evaluation.explain.gradients import integrated_gradients
from multigraft.evaluation.explain.graft_subject import GraftSubject, Served
from multigraft.evaluation.explain.path import GradientPath
from multigraft.evaluation.explain.sanity import randomised, rank_correlation
from multigraft.models.modes import evaluating
from multigraft.runtime.answers import make_answers
from multigraft.runtime.explain.subject import units_of


def captum() -> Any:
    """The library that is the oracle; it brings matplotlib, whose mere presence slows others, so it
    is not among what is installed for tests."""
    return pytest.importorskip("captum.attr")


MODALITIES = ("text", "image", "audio", "table")
OPTIONS = {"steps": 8, "most_steps": 1024, "tolerance": 0.01, "settled": 0.05}


def subject_of(run: mg.Run, raw: Any) -> GraftSubject:
    run.graft.eval()
    row = read_row(run.reader, raw)
    served = Served(run.graft, run.objective, run.reader)
    units = units_of(run.reader, raw, row, modality=run.resolved.modality.name)
    number = make_answers(run.resolved.task, run.targets).explained({}, "first")
    return GraftSubject(row, units, number, served.compute, served=served)


@pytest.mark.parametrize("modality", MODALITIES)
def test_integrated_gradients_are_complete(modality: str) -> None:
    made = tiny(modality)
    subject = subject_of(made.run, made.value)
    found = integrated_gradients(subject, OPTIONS)
    whole, hidden = subject.scores(np.array([[False] * subject.count, [True] * subject.count]))
    gap, sizes = abs(found.weights.sum() - (whole - hidden)), np.abs(found.weights).sum()
    assert gap <= 0.011 * sizes
    assert found.told["completeness_error"] == pytest.approx(gap / abs(whole - hidden), abs=1e-3)


def test_of_tokens_they_are_captums() -> None:
    """One embedding changes, so captum integrates along the same way."""
    made = tiny("text")
    subject = subject_of(made.run, made.value)
    batch = subject.batch(np.array([[False] * subject.count, [True] * subject.count]))
    words = made.run.graft.backbone.embedding  # type: ignore[union-attr]

    def number(ids: torch.Tensor) -> torch.Tensor:
        same = {name: value[:1].expand(len(ids), -1) for name, value in batch.items()}
        return subject.number({**same, "input_ids": ids})

    ids, hidden = batch["input_ids"][:1], batch["input_ids"][1:]
    theirs = (
        captum()
        .LayerIntegratedGradients(number, words)
        .attribute(ids, baselines=hidden, n_steps=64, method="gausslegendre")
    )
    tokens = theirs.sum(-1)[0].detach().numpy()
    changed = np.array(
        [
            (subject.hide(one)["input_ids"] != subject.row["input_ids"]).nonzero()[0]
            for one in np.eye(subject.count, dtype=bool)
        ],
        dtype=object,
    )
    wanted = [tokens[places.astype(int)].sum() for places in changed]
    found = integrated_gradients(subject, {**OPTIONS, "steps": 512, "most_steps": 512})
    np.testing.assert_allclose(found.weights, wanted, atol=2e-5)


def test_of_pixels_they_are_captums() -> None:
    made = tiny("image")
    subject = subject_of(made.run, made.value)
    batch = subject.batch(np.array([[False] * subject.count, [True] * subject.count]))
    image = batch["image"].float()
    theirs = (
        captum()
        .IntegratedGradients(lambda pixels: subject.number({"image": pixels}))
        .attribute(image[:1], baselines=image[1:], n_steps=512, method="gausslegendre")
    )
    pixels = theirs.sum(-1)[0].detach().numpy()
    height, width = pixels.shape
    boxes = (subject.units[""].places * [width, height, width, height]).round().astype(int)
    wanted = [pixels[top:bottom, left:right].sum() for left, top, right, bottom in boxes]
    found = integrated_gradients(subject, {**OPTIONS, "steps": 512, "most_steps": 512})
    np.testing.assert_allclose(found.weights, wanted, atol=1e-3)


def test_the_gradient_at_the_row_is_captums() -> None:
    made = tiny("image")
    subject = subject_of(made.run, made.value)
    image = subject.batch(np.zeros((1, subject.count), bool))["image"].float()
    theirs = (
        captum()
        .Saliency(lambda pixels: subject.number({"image": pixels}))
        .attribute(image, abs=False)
    )
    ours = GradientPath(subject).gradients(np.ones(1))["image"]
    torch.testing.assert_close(ours, theirs)


def test_grad_cam_marks_patches_of_pictures_and_refuses_words() -> None:
    made = tiny("image")
    found = made.run.explain(
        [made.value], method="grad-cam", faithfulness=False, sanity=False, quiet=True
    )
    weights = found.rows[0].by["grad-cam"].weights
    assert weights.shape == (49,)
    assert (weights >= 0).all()
    with pytest.raises(mg.MultigraftError, match="weighs patches, and this value has words"):
        tiny("text").run.explain(["a film"], method="grad-cam", quiet=True)


@pytest.mark.parametrize("order", ["NCHW", "NHWC", "tokens"])
def test_a_blocks_output_becomes_a_map(order: str) -> None:
    wanted = torch.arange(24.0).reshape(1, 4, 2, 3)
    tokens = torch.cat([torch.zeros(1, 1, 4), wanted.flatten(2).transpose(1, 2)], dim=1)
    given = {"NCHW": wanted, "NHWC": wanted.permute(0, 2, 3, 1), "tokens": tokens}[order]
    found = as_map(given, (1, 4, 2, 3))
    assert found is not None
    assert torch.equal(found, wanted)
    assert as_map(given, ()) is None


def test_random_weights_are_put_back_and_change_what_is_explained() -> None:
    run = tiny("text").run
    before = {name: value.clone() for name, value in run.graft.named_parameters()}
    with evaluating(run.graft), randomised(run.graft, 1):
        moved = [not torch.equal(v, before[n]) for n, v in run.graft.named_parameters()]
        assert sum(moved) > len(moved) / 2
        for name, value in run.graft.named_parameters():
            assert torch.equal(value.flatten().sort().values, before[name].flatten().sort().values)
    assert all(torch.equal(v, before[n]) for n, v in run.graft.named_parameters())


def test_equal_weights_have_no_ranks() -> None:
    assert np.isnan(rank_correlation(np.zeros(4), np.arange(4.0)))
    assert rank_correlation(np.arange(4.0), -np.arange(4.0)) == -1
