"""Every task of pictures learns from channels, and the bundle and timm read what was learned."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image

import multigraft as mg
from multigraft import Origin
from multigraft.errors import BundleError, WeightsError
from multigraft.plugins.catalog import Catalog
from multigraft.runtime.web.site import write_site

TRAINING = {"steps": 3, "batch_size": 8, "workers": 0, "precision": "fp32", "compile": "off"}
LABELS = ("bare", "green")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 pictures of 5 channels and 16 bits; the fifth, near infrared, tells the label."""
    found, rng, rows = tmp_path_factory.mktemp("bands"), np.random.default_rng(0), []
    for number in range(24):
        values = rng.integers(500, 4_000, (40, 40, 5)).astype(np.uint16)
        values[10:30, 8:28, 4] += 9_000 * (number % 2)
        np.save(found / f"{number}.npy", values)
        mask = np.zeros((40, 40), np.uint8)
        mask[10:30, 8:28] = number % 2
        Image.fromarray(mask).save(found / f"{number}.png")
        box = [{"label": "field", "box": [8, 10, 20, 20]}] if number % 2 else []
        rows.append(
            {
                **{"image": f"{number}.npy", "label": LABELS[number % 2], "objects": box},
                "mask": f"{number}.png",
            }
        )
    lines = "\n".join(json.dumps(row) for row in rows)
    (found / "rows.jsonl").write_text(lines + "\n", encoding="utf-8")
    return found


def recipe(folder: Path, task: Any, backbone: str = "resnet-tiny", **fields: Any) -> dict[str, Any]:
    name = task if isinstance(task, str) else task["name"]
    return {
        "task": task,
        "backbone": {"name": backbone, "weights": "scratch"},
        "reader": {"channels": 5, "size": 32},
        "data": {"train": str(folder / "rows.jsonl"), "leakage": {"near": False}},
        "training": TRAINING,
        "evaluation": {"split": "validation", "bootstrap": 0},
        "export": {"precisions": ["fp32"], "rows": 4, "budget": 100},
        "output": str(folder / f"{name}-{backbone}"),
        **fields,
    }


@pytest.fixture(scope="module")
def run(folder: Path) -> mg.Run:
    strong = {"name": "strong", "random_erasing": 0.5, "mixup": 0.2}
    training = {**TRAINING, "steps": 80, "learning_rate": 5e-3, "augment": strong}
    found = mg.finetune(recipe(folder, "image-classification", training=training))
    found.export()
    return found


def test_the_fifth_channel_is_learned(run: mg.Run) -> None:
    assert run.evaluate().metrics["accuracy"].value == 1.0


def test_a_bundle_reads_channels_without_torch(run: mg.Run, folder: Path) -> None:
    bundle = run.folder / "bundle"
    code = (
        "import sys, multigraft as mg; p = mg.load(sys.argv[1]); "
        "print(p.predict(sys.argv[2])['label']); "
        "sys.exit(','.join({'torch', 'timm', 'tifffile', 'imagecodecs'} & set(sys.modules)) or 0)"
    )
    said = [sys.executable, "-c", code, str(bundle), str(folder / "1.npy")]
    done = subprocess.run(said, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "green"), done.stderr


def test_a_browser_is_refused_by_name(run: mg.Run, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"image-channels.*use multigraft serve"):
        write_site(run.folder / "bundle", tmp_path / "site", fetch=False)


def test_timm_opens_the_folder_with_its_channels(run: mg.Run, folder: Path) -> None:
    theirs = timm.create_model(f"local-dir:{run.folder / 'model'}", pretrained=True).eval()
    cfg = theirs.pretrained_cfg
    assert cfg["input_size"] == [5, 32, 32] or tuple(cfg["input_size"]) == (5, 32, 32)
    image = torch.from_numpy(run.reader.read(str(folder / "3.npy"))["image"])[None]
    mean, std = (torch.tensor(cfg[name]).view(-1, 1, 1) for name in ("mean", "std"))
    backbone = run.graft.backbone.eval()
    with torch.inference_mode():
        wanted = theirs.forward_head(
            theirs.forward_features((image.permute(0, 3, 1, 2) - mean) / std), pre_logits=True
        )
        found = backbone({"image": image}).pooled
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_run_goes_on_from_the_saved_reader(run: mg.Run, folder: Path) -> None:
    weights = {"name": "resnet-tiny", "weights": str(run.folder)}
    data = {"train": str(folder / "rows.jsonl"), "leakage": {"near": False}}
    again = mg.finetune(
        recipe(folder, "image-classification", backbone="resnet-tiny")
        | {"backbone": weights, "reader": {}, "data": data, "output": str(folder / "again")}
    )
    assert again.reader.spec() == run.reader.spec()


@pytest.mark.parametrize(
    ("task", "backbone"),
    [
        pytest.param(
            {"name": "semantic-segmentation", "width": 32}, "resnet-tiny", marks=pytest.mark.slow
        ),
        pytest.param(
            {"name": "object-detection", "width": 32, "depth": 1},
            "resnet-tiny",
            marks=pytest.mark.slow,
        ),
        ("image-contrastive", "resnet-tiny"),
        ({"name": "masked-image-modeling", "decoder_width": 32, "decoder_depth": 1}, "vit-tiny"),
        ("masked-image-modeling", "resnet-tiny"),
    ],
    ids=["segmentation", "detection", "contrastive", "mae", "simmim"],
)
def test_every_task_learns_from_channels(folder: Path, task: Any, backbone: str) -> None:
    name = task if isinstance(task, str) else task["name"]
    pretrains = name in ("image-contrastive", "masked-image-modeling")
    dense = name in ("object-detection", "semantic-segmentation")
    augment = {"name": "light", "mosaic": 0.5} if dense else "light"
    asked = recipe(folder, task, backbone, training={**TRAINING, "augment": augment})
    if name == "masked-image-modeling" or not pretrains:
        asked["reader"] = {**asked["reader"], "fit": "pad"}
    trained = (mg.pretrain if pretrains else mg.finetune)(asked)
    assert np.isfinite(trained.evaluate().metrics["loss"].value)
    if dense:
        predictor = mg.load(trained.export().files["bundle"])
        assert predictor.predict(str(folder / "1.npy")) is not None


def test_weights_of_rgb_are_adapted_as_timm_adapts_them(tmp_path: Path) -> None:
    family, size, found = Catalog(strict=True).backbone("resnet-tiny")

    def build(channels: int | None, path: Path | None = None) -> Any:
        origin = Origin(backbone="resnet-tiny", size=size, config=dict(found.config), path=path)
        options = {} if channels is None else {"channels": channels, "depth": 16}
        told = {
            "range": [0.0, 1.0],
            "mean": [0.5] * (channels or 3),
            "std": [0.2] * (channels or 3),
        }
        spec = family.reader(origin, options)
        return family.build(origin, spec if channels is None else {**spec, **told})

    rgb = build(None)
    rgb.save(tmp_path / "rgb", head=None, labels=())
    six = build(6, tmp_path / "rgb").model.conv1.weight
    torch.testing.assert_close(six, rgb.model.conv1.weight.repeat(1, 2, 1, 1) / 2)
    one = build(1, tmp_path / "rgb").model.conv1.weight
    torch.testing.assert_close(one, rgb.model.conv1.weight.sum(1, keepdim=True))
    build(6, tmp_path / "rgb").save(tmp_path / "six", head=None, labels=())
    with pytest.raises(WeightsError, match="not of the shape"):
        build(4, tmp_path / "six")
