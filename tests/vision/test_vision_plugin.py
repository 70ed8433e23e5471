from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from multigraft import Brief
from multigraft.contracts.records import Origin
from multigraft.data import load_table
from multigraft.models.graft import Graft
from multigraft.plugins.catalog import Catalog
from multigraft.recipe.resolve import read_recipe
from multigraft_vision.reader import image_reader


@pytest.fixture(scope="module")
def catalog():
    return Catalog(strict=True)


def test_what_the_plugin_brings(catalog):
    (info,) = [info for info in catalog.plugins if info.name == "vision"]
    assert info.brings["modalities"] == ("image",)
    assert set(info.brings["tasks"]) == {
        "image-contrastive",
        "masked-image-modeling",
        "image-classification",
        "image-multilabel",
        "image-regression",
        "semantic-segmentation",
        "object-detection",
    }
    assert {"resnet-tiny", "resnet-50", "inception-v3", "inception-resnet-v2", "timm/..."} <= set(
        info.brings["backbones"]
    )


@pytest.mark.parametrize("suffix", [".jfif", ".JPE", ".jpg"])
def test_a_jpeg_is_a_picture_whatever_its_ending(catalog, tmp_path, suffix):
    for label, shade in (("black", 0), ("white", 255)):
        (tmp_path / label).mkdir()
        Image.new("RGB", (8, 8), (shade,) * 3).save(tmp_path / label / f"1{suffix}", "JPEG")
    modality = catalog.modality("image")
    table = load_table(str(tmp_path), modality=modality, columns={})
    assert (table.column("label"), table.notes) == (["black", "white"], ())
    shape = {"size": [8, 8], "crop": 1.0, "interpolation": "bicubic", "fit": "center"}
    reader = image_reader({**shape, "max_pixels": 64})
    shades = [reader.read(tmp_path / path)["image"].mean() for path in table.column("image")]
    assert shades == [0, 255]


def test_registering_imports_nothing_heavy():
    code = (
        "import sys; from multigraft.plugins.catalog import Catalog; import multigraft_vision as "
        "plugin; Catalog([plugin], discover=False); sys.exit(','.join({'torch', 'timm', 'PIL'} & "
        "set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_published_sizes_name_weights_that_timm_knows(catalog):
    import timm

    for family in catalog.backbones():
        if family.modality != "image":
            continue
        for size in family.sizes.values():
            if size.hub is not None:
                cfg = timm.get_pretrained_cfg(size.hub.removeprefix("timm/"))
                assert cfg.architecture == size.config["architecture"]
                assert cfg.hf_hub_id == size.hub


def recipe(**reader):
    return {
        "task": "image-classification",
        "backbone": {"name": "resnet-tiny", "drop_path": 0.1},
        "data": {"train": "pictures"},
        "reader": reader,
    }


def test_reader_options_pass_the_recipe(catalog):
    reader = {
        "size": 64,
        "crop": 0.9,
        "interpolation": "bilinear",
        "fit": "squash",
        "max_pixels": 10_000,
    }
    parts = read_recipe(recipe(**reader), catalog)
    branch = parts.branches[""]
    spec = branch.backbone.reader(branch.origin, branch.reader_options)
    assert spec == {"kind": "image", **reader, "size": [64, 64]}
    assert parts.modality.reader(spec).spec() == spec


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 0},
        {"size": "big"},
        {"size": [64, "big"]},
        {"size": [64, 0]},
        {"crop": 1.5},
        {"interpolation": "cubic"},
        {"max_pixels": 10**12},
    ],
)
def test_wrong_reader_options_are_refused(catalog, wrong):
    from multigraft.errors import RecipeError

    with pytest.raises(RecipeError, match=f"reader.{next(iter(wrong))}"):
        read_recipe(recipe(**wrong), catalog)


def test_an_image_classifier_learns_two_colours(catalog):
    family, size_name, size = catalog.backbone("resnet-tiny")
    origin = Origin(backbone="resnet-tiny", size=size_name, config=dict(size.config))
    spec = family.reader(origin, {})
    reader = catalog.modality("image").reader(spec)
    torch.manual_seed(0)
    backbone = family.build(origin, spec)
    task = catalog.task("image-classification")
    options = {name: option.default for name, option in task.options.items()}
    targets = task.targets({"label": ["red", "blue"]})
    objective = task.objective(
        Brief(backbone=backbone, reader=reader, targets=targets, options=options, modality="image")
    )
    graft = Graft(backbone, objective.head())
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 16)
    images = rng.integers(0, 100, (16, 40, 50, 3), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, :, 0 if targets["labels"][label] == "red" else 2] += 100
    batch = {
        "image": torch.from_numpy(np.stack([reader.read(image)["image"] for image in images])),
        "label": torch.from_numpy(labels),
    }
    optimizer = torch.optim.AdamW(graft.parameters(), lr=3e-3)
    for _ in range(15):
        loss = objective.loss(graft(batch), batch).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    graft.eval()
    assert (graft(batch)["logits"].argmax(1) == batch["label"]).float().mean() == 1
