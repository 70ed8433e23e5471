from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from scipy.stats import beta, ks_2samp, kstest
from timm.data.mixup import cutmix_bbox_and_lam
from timm.data.random_erasing import RandomErasing as TimmErasing
from torch.nn import functional as F

import multigraft as mg
from helpers.samples import write_images
from multigraft.contracts.mixing import OWN_SHARE, Mixture, mixed
from multigraft.engine import Engine
from multigraft.errors import RecipeError
from multigraft.models.tasks.classification import Classification
from multigraft.training.mixed_loss import training_loss
from multigraft_vision.augment import LIGHT, Policy
from multigraft_vision.batch_mixing import BatchMixing, cut
from multigraft_vision.random_erasing import RandomErasing, erased

STILL = Policy()
ENOUGH = 0.001
"""A p-value below which two samples are of other distributions; all draws are seeded."""


def boxes(count, made):
    """Top, left, height and width of what was changed in pictures of zeros [40, 60]."""
    found = []
    for index in range(count):
        rows, columns = np.nonzero(made(index))
        if len(rows):
            spans = np.ptp(rows) + 1, np.ptp(columns) + 1
            found.append((rows.min(), columns.min(), *spans))
    return np.array(found)


def test_erased_rectangles_have_timms_distribution():
    theirs = TimmErasing(probability=1, mode="pixel", device="cpu")

    def by_timm(index):
        random.seed(index)
        torch.manual_seed(index)
        return theirs(torch.zeros(3, 40, 60))[0].numpy() != 0

    def by_us(index):
        image = np.full((40, 60, 3), 7, np.uint8)
        return (erased(image, np.random.default_rng(index)) != 7).any(2)

    one, other = boxes(600, by_timm), boxes(600, by_us)
    assert min(len(one), len(other)) > 590
    for side in range(4):
        assert ks_2samp(one[:, side], other[:, side]).pvalue > ENOUGH, side


def test_a_share_of_the_pictures_is_erased_and_the_original_kept():
    image = np.full((32, 32, 3), 7, np.uint8)
    augment = RandomErasing(STILL, 0.25)
    changed = [
        (augment({"image": image}, np.random.default_rng(seed))["image"] != 7).any()
        for seed in range(400)
    ]
    assert abs(np.mean(changed) - 0.25) < 0.08
    assert (image == 7).all()


def test_cut_shares_have_timms_distribution():
    np.random.seed(0)
    theirs = [cutmix_bbox_and_lam((3, 24, 32), np.random.beta(0.7, 0.7))[1] for _ in range(600)]
    rng = np.random.default_rng(0)
    image = np.zeros((1, 24, 32, 3), np.uint8)
    ours = [cut(image, image, rng.beta(0.7, 0.7), rng)[1] for _ in range(600)]
    assert ks_2samp(theirs, ours).pvalue > ENOUGH


def batch(count=6, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "image": rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8),
        "label": rng.integers(0, 3, count),
    }


def test_cut_pixels_are_the_partners_in_the_share_told():
    arrays = batch()
    for seed in range(20):
        made = BatchMixing(STILL, 0.0, 1.0).mix(arrays, np.random.default_rng(seed))
        own = (made.changed["image"] == arrays["image"]).all(3)
        theirs = (made.changed["image"] == arrays["image"][made.partner]).all(3)
        assert (own | theirs).all()
        np.testing.assert_allclose((~theirs).mean((1, 2)), made.share, atol=1 / 64)


def test_blends_are_the_mean_and_shares_are_betas():
    arrays, mixing = batch(), BatchMixing(STILL, 0.4, 0.0)
    made = mixing.mix(arrays, np.random.default_rng(0))
    share = made.share[0]
    expected = share * arrays["image"] + (1 - share) * arrays["image"][::-1]
    assert np.abs(made.changed["image"] - expected).max() <= 0.51
    rng = np.random.default_rng(1)
    shares = [mixing.mix(arrays, rng).share[0] for _ in range(500)]
    assert kstest(shares, beta(0.4, 0.4).cdf).pvalue > ENOUGH


def test_half_of_the_batches_are_cut_where_both_are_asked_for():
    arrays, rng = batch(), np.random.default_rng(0)
    mixing = BatchMixing(STILL, 0.8, 1.0)
    cuts = []
    for _ in range(300):
        made = mixing.mix(arrays, rng)
        found, theirs = made.changed["image"], arrays["image"][made.partner]
        cuts.append(((found == arrays["image"]) | (found == theirs)).all())
    assert 0.4 < np.mean(cuts) < 0.6


def test_the_loss_is_that_of_soft_targets():
    objective = object.__new__(Classification)
    objective.smoothing, objective.weights = 0.1, None
    arrays = batch()
    made = mixed(arrays, Mixture({"image": arrays["image"]}, np.arange(6)[::-1], np.full(6, 0.3)))
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in made.items()}
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    label = F.one_hot(tensors["label"], 3).float()
    soft = 0.3 * label + 0.7 * label.flip(0)
    expected = F.cross_entropy(logits, soft, label_smoothing=0.1, reduction="none")
    loss = training_loss(objective, {"logits": logits}, tensors)
    torch.testing.assert_close(loss.total, expected)
    torch.testing.assert_close(loss.weight, torch.ones(6))
    del tensors[OWN_SHARE]
    plain = training_loss(objective, {"logits": logits}, tensors)
    torch.testing.assert_close(plain.total, objective.loss({"logits": logits}, tensors).total)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("mixed")
    write_images(found, 24)
    return found


def recipe(folder, name, task="image-classification", **options):
    return {
        "task": task,
        "backbone": {"name": "resnet-tiny", "weights": "scratch"},
        "data": {"train": str(folder / "images"), "leakage": {"near": False}},
        "training": {
            **{"steps": 6, "batch_size": 6, "precision": "fp32", "workers": 0},
            **{"checkpoint_every": 1, "augment": {"name": "light", **options}},
        },
        "output": str(folder / name),
    }


class Watches:
    """Counts mixed batches, in training and in validation; interrupts at a step."""

    def __init__(self, stop=None):
        self.stop, self.seen = stop, []

    @mg.hookimpl
    def step_end(self, run, step):
        if step == 1:
            inner = run.objective.loss

            def loss(outputs, batch):
                self.seen.append((run.graft.training, OWN_SHARE in batch))
                return inner(outputs, batch)

            run.objective.loss = loss
        if step == self.stop:
            raise KeyboardInterrupt


ALL = {"random_erasing": 0.5, "mixup": 0.8, "cutmix": 1.0}


def test_a_run_mixes_in_training_alone_and_goes_on_as_it_would_have(folder):
    watches = Watches()
    whole = Engine([watches], strict=True).start(recipe(folder, "whole", **ALL), "finetune")
    assert (True, True) in watches.seen
    assert (False, False) in watches.seen
    assert {(True, False), (False, True)}.isdisjoint(watches.seen)
    with pytest.raises(KeyboardInterrupt):
        Engine([Watches(3)], strict=True).start(recipe(folder, "stopped", **ALL), "finetune")
    resumed = mg.resume(folder / "stopped")
    for name, value in whole.graft.state_dict().items():
        assert torch.equal(resumed.graft.state_dict()[name], value), name


@pytest.mark.parametrize("task", ["image-contrastive", "masked-image-modeling"])
def test_tasks_without_two_targets_a_row_refuse(folder, task):
    with pytest.raises(RecipeError, match="cannot have two targets"):
        mg.pretrain(recipe(folder, f"refused-{task}", task, mixup=0.2))


def test_erasing_follows_the_other_changes():
    image = batch()["image"][0]
    one, same = (
        RandomErasing(LIGHT, 1.0)({"image": image}, np.random.default_rng(3))["image"]
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, same)
    assert one.shape == image.shape
