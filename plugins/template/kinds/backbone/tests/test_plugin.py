"""The whole way: finetune, export, predict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import multigraft as mg


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Forty pictures with more red, forty with more green, a folder each."""
    rng = np.random.default_rng(0)
    for channel, label in enumerate(("red", "green")):
        folder = tmp_path / "pictures" / label
        folder.mkdir(parents=True)
        for number in range(40):
            pixels = rng.integers(0, 150, (40, 40, 3), dtype=np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    return tmp_path / "pictures"


def test_from_pictures_to_answers(pictures: Path, tmp_path: Path) -> None:
    run = mg.finetune(
        task="image-classification",
        backbone="sapling-tiny",
        data=str(pictures),
        training={"epochs": 6, "batch_size": 16, "learning_rate": 0.01},
        export={"precisions": ["fp32"]},
        output=str(tmp_path / "run"),
    )
    assert run.evaluate().metrics["accuracy"].value > 0.9
    predictor = mg.load(run.export().files["bundle"])
    answers = predictor.predict([pictures / "red" / "00.png", pictures / "green" / "00.png"])
    assert [answer["label"] for answer in answers] == ["red", "green"]


def test_what_was_saved_is_what_is_built(tmp_path: Path) -> None:
    family, size, made = mg.Catalog().backbone("sapling-tiny")
    origin = mg.Origin(backbone="sapling-tiny", size=size, config=made.config)
    network = family.build(origin, {})
    network.save(tmp_path, head=None, labels=())
    again = family.build(replace(origin, path=tmp_path), {})
    for name, value in network.state_dict().items():
        assert again.state_dict()[name].equal(value)
    with pytest.raises(mg.WeightsError, match="holds no weights of sapling-tiny"):
        family.build(replace(origin, path=tmp_path / "elsewhere"), {})
