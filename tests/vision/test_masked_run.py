from __future__ import annotations

import pytest
import timm
import torch

import multigraft as mg
from helpers.samples import write_images
from multigraft.engine import Engine

NETWORK = {"name": "vit-tiny", "weights": "scratch"}
TRAINING = {"steps": 4, "batch_size": 6, "precision": "fp32", "workers": 0, "checkpoint_every": 1}
TRAINING |= {"learning_rate": 1e-3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("masked")
    write_images(found, 20)
    return found


def recipe(folder, name, **fields):
    return {
        "task": {"name": "masked-image-modeling", "decoder_width": 32, "decoder_depth": 1},
        "backbone": NETWORK,
        "data": {"train": str(folder / "images"), "leakage": {"near": False}},
        "training": TRAINING,
        "evaluation": {"split": "validation", "bootstrap": 0},
        "output": str(folder / name),
        **fields,
    }


@pytest.fixture(scope="module")
def pretrained(folder):
    return mg.pretrain(recipe(folder, "whole"))


class Interrupts:
    @mg.hookimpl
    def step_end(self, step):
        if step == 2:
            raise KeyboardInterrupt


def test_a_run_that_goes_on_draws_the_same_masks(folder, pretrained):
    with pytest.raises(KeyboardInterrupt):
        Engine([Interrupts()], strict=True).start(recipe(folder, "resumed"), "pretrain")
    resumed = mg.resume(folder / "resumed")
    for name, value in pretrained.graft.state_dict().items():
        assert torch.equal(resumed.graft.state_dict()[name], value), name


def test_the_folder_opens_in_timm(pretrained):
    theirs = timm.create_model(f"local-dir:{pretrained.folder / 'model'}", pretrained=True).eval()
    image = torch.randint(0, 256, (2, 32, 32, 3), generator=torch.Generator().manual_seed(0))
    backbone = pretrained.graft.backbone.eval()
    cfg = theirs.pretrained_cfg
    mean, std = (torch.tensor(cfg[name]).view(3, 1, 1) for name in ("mean", "std"))
    pixels = (image.permute(0, 3, 1, 2) / 255 - mean) / std
    with torch.inference_mode():
        ours = backbone({"image": image.to(torch.uint8)}).pooled
        torch.testing.assert_close(theirs(pixels), ours, rtol=1e-4, atol=1e-5)


def test_held_out_figures_and_the_baseline(pretrained):
    report = pretrained.evaluate()
    assert {"loss", "skill", "linear_probe_accuracy"} <= report.metrics.keys()
    assert pretrained.facts["baseline"]["metric"] == "loss"
    assert any("mean colour of each hidden patch" in note for note in report.notes)


def test_a_classifier_begins_with_its_weights(folder, pretrained):
    run = mg.finetune(
        task="image-classification",
        backbone={"name": "vit-tiny", "weights": str(pretrained.folder)},
        data={"train": str(folder / "images"), "leakage": {"near": False}},
        training={**TRAINING, "steps": 1, "learning_rate": 1e-12},
        output=str(folder / "classifier"),
    )
    before, after = (each.graft.backbone.state_dict() for each in (pretrained, run))
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=0, atol=1e-6)
