"""An image tower by itself: pictures as transformers' processors cut them, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torchvision.transforms import (
    CenterCrop,
    Compose,
    InterpolationMode,
    Normalize,
    Resize,
    ToTensor,
)
from transformers import AutoImageProcessor, CLIPModel

import multigraft as mg
from helpers.clip_folders import clip_folder, pictures, siglip_folder
from multigraft.errors import MultigraftError, WeightsError
from multigraft_vision.clip.build import build
from multigraft_vision.clip.preprocessing import FILE, preprocessing_of, reader_spec
from multigraft_vision.reader import image_reader


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_folder(tmp_path_factory.mktemp("image") / "clip")


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return siglip_folder(tmp_path_factory.mktemp("image") / "siglip")


def origin(folder: Path) -> mg.Origin:
    return mg.Origin(backbone=f"clip-image/{folder}", size="any", path=folder)


def processed(folder: Path, to: Path, **fields: Any) -> Path:
    """A copy with other fields in its preprocessor_config.json; None takes one out."""
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    said = {**json.loads((folder / FILE).read_text()), **fields}
    kept = {name: value for name, value in said.items() if value is not None}
    (to / FILE).write_text(json.dumps(kept))
    return to


def openais(folder: Path) -> Callable[[Any], Any]:
    """CLIP's own transform, as OpenAI published it, with the numbers of the folder."""
    said = json.loads((folder / FILE).read_text())
    return Compose(
        [
            Resize(said["size"]["shortest_edge"], InterpolationMode.BICUBIC),
            CenterCrop(said["crop_size"]["height"]),
            ToTensor(),
            Normalize(said["image_mean"], said["image_std"]),
        ]
    )


def processor(folder: Path) -> Callable[[Any], Any]:
    """transformers' own, by Pillow, as pictures are read here."""
    made = AutoImageProcessor.from_pretrained(folder, backend="pil")
    return lambda image: made(image, return_tensors="pt")["pixel_values"][0]


@pytest.mark.parametrize(("kind", "theirs"), [("clip", openais), ("siglip", processor)])
def test_pixels_are_those_that_the_weights_were_trained_with(
    kind: str, theirs: Any, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = request.getfixturevalue(kind)
    spec = reader_spec(origin(folder), {})
    reader, tower = image_reader(spec), build(origin(folder), spec)
    tower.save(tmp_path / "saved", head=None, labels=())
    for place in (folder, tmp_path / "saved"):
        transform = theirs(place)
        for path in pictures(tmp_path / "pictures", 6):
            image = torch.from_numpy(reader.read(path)["image"].copy()).permute(2, 0, 1)
            ours = image.float() * tower.scale + tower.shift
            assert torch.allclose(ours, transform(Image.open(path)), atol=1e-5)
    assert reader_spec(origin(tmp_path / "saved"), {}) == spec
    assert processor(tmp_path / "saved")(Image.open(path)).shape == (3, 24, 24)


@pytest.mark.parametrize(
    "said",
    [
        {"size": 28, "crop_size": 24},  # as files of 2021 have it
        {"size": {"shortest_edge": 28}, "crop_size": {"height": 24, "width": 24}},
    ],
    ids=["numbers", "mappings"],
)
def test_older_files_say_the_same(said: dict[str, Any], clip: Path, tmp_path: Path) -> None:
    older = processed(clip, tmp_path / "older", **said, image_processor_type=None)
    assert preprocessing_of(origin(older)) == preprocessing_of(origin(clip))


def test_a_processors_own_file_will_do(clip: Path, tmp_path: Path) -> None:
    folder = processed(clip, tmp_path / "newer")
    (folder / FILE).unlink()
    assert (folder / "processor_config.json").exists()
    assert preprocessing_of(origin(folder)) == preprocessing_of(origin(clip))
    (folder / "processor_config.json").unlink()
    with pytest.raises(WeightsError, match="which says how pictures are scaled"):
        preprocessing_of(origin(folder))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"size": {"longest_edge": 30}}, "does not say a size"),
        ({"crop_size": {"height": 20, "width": 24}}, "a shorter side of 28 cut to"),
        ({"resample": 9}, "does not say a size"),
        ({"image_std": [0, 1, 1]}, "does not say a size"),
    ],
    ids=["longest", "crop", "resample", "std"],
)
def test_other_ways_to_cut_are_refused(
    fields: dict[str, Any], says: str, clip: Path, tmp_path: Path
) -> None:
    folder = processed(clip, tmp_path / "odd", **fields)
    with pytest.raises(WeightsError, match=says):
        preprocessing_of(origin(folder))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"size": 32}, "has positions for 24 x 24 pixels, not for 32 x 32"),
        ({"channels": 4}, "reads RGB pictures of 8 bits"),
    ],
    ids=["size", "channels"],
)
def test_other_pictures_are_refused(options: dict[str, Any], says: str, clip: Path) -> None:
    with pytest.raises(MultigraftError, match=says):
        reader_spec(origin(clip), options)


def test_it_classifies_pictures_by_itself(clip: Path, tmp_path: Path) -> None:
    rows = [
        {"image": path, "label": "ab"[number % 2]}
        for number, path in enumerate(pictures(tmp_path / "pictures", 8))
    ]
    told = {"epochs": 2, "workers": 0, "batch_size": 4}
    recipe = {
        "task": "image-classification",
        "backbone": f"clip-image/{clip}",
        "strategy": "linear-probe",
        "data": {"train": rows, "validation": rows, "split": {"test": 0}},
        "training": told,
        "evaluation": {"split": "validation", "bootstrap": 10},
        "output": str(tmp_path / "run"),
    }
    recipe["data"] |= {"leakage": {"allowed": 1}}
    run = mg.finetune(recipe)
    tower: Any = run.graft.backbone
    published = CLIPModel.from_pretrained(clip)
    assert torch.equal(
        tower.model.embeddings.class_embedding, published.vision_model.embeddings.class_embedding
    )
    assert "accuracy" in mg.open_run(run.folder).evaluate().metrics
    again = CLIPModel.from_pretrained(clip).visual_projection.weight
    assert torch.equal(tower.shared_space.projection.weight, again)
