"""The reader of channels: geometry as of RGB, values as shares of their range, and what it learns
from training pictures."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from multigraft import Origin, RowError
from multigraft.errors import BundleError, DataError
from multigraft.plugins.catalog import Catalog
from multigraft_vision.augment import LIGHT, STRONG, Policy
from multigraft_vision.batch_mixing import blended
from multigraft_vision.channels.planes import Planes
from multigraft_vision.channels.settings import learn
from multigraft_vision.random_erasing import erased
from multigraft_vision.reader import image_reader

SPEC = {
    **{"size": [24, 32], "crop": 1.0, "interpolation": "bicubic", "fit": "center"},
    "max_pixels": 10_000,
}
MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.2, 0.2]


def spec(channels: int, depth: Any, **changes: Any) -> dict[str, Any]:
    told = {"channels": channels, "depth": depth, "range": [0.0, 255.0 if depth == 8 else 65535.0]}
    told |= {"mean": [0.5] * channels, "std": [0.2] * channels}
    return {"kind": "image-channels", **SPEC, **told, **changes}


def picture(channels: int, kind: str = "u1", shape: tuple[int, int] = (40, 61)) -> np.ndarray:
    found = np.random.default_rng(1).random((*shape, channels))
    return (found * {"u1": 255, "u2": 65_535}.get(kind, 1)).astype(kind)


@pytest.mark.parametrize("fit", ["center", "squash", "pad"])
@pytest.mark.parametrize("places", [False, True])
def test_three_channels_of_8_bits_are_read_as_rgb_is(fit: str, places: bool) -> None:
    told = spec(3, 8, fit=fit, mean=MEAN, std=STD, places=places)
    fill = {"fill": [round(255 * each) for each in MEAN]} if fit == "pad" else {}
    plain = image_reader({"kind": "image", **SPEC, "fit": fit, "places": places, **fill})
    ours, theirs = image_reader(told).read(picture(3)), plain.read(picture(3))
    assert ours.keys() == theirs.keys()
    for name, found in ours.items():
        np.testing.assert_array_equal(found, theirs[name])


def test_16_bits_keep_what_8_bits_would_round_off() -> None:
    values = picture(5, "u2", (24, 32))
    found = image_reader(spec(5, 16)).read(values)["image"]
    assert (found.dtype, found.shape) == (np.float32, (24, 32, 5))
    np.testing.assert_allclose(found, values / 65_535, atol=1e-6)
    assert len(np.unique(found)) > 3_000


def test_a_spec_survives_json_and_says_all(tmp_path: Any) -> None:
    first = image_reader(spec(4, 16, places=True))
    assert image_reader(json.loads(json.dumps(first.spec()))) == first
    values = picture(4, "u2")
    path = tmp_path / "four.npy"
    np.save(path, values)
    assert first.memory(str(path)) > 2 * values.nbytes
    for wrong in ({"mean": [0.5]}, {"std": [0.0] * 4}, {"range": [1.0, 1.0]}, {"depth": 12}):
        with pytest.raises(BundleError):
            image_reader({**spec(4, 16), **wrong})


def test_another_depth_is_a_bad_row() -> None:
    with pytest.raises(RowError, match=r"holds 8 bits, and reader\.depth is 16 bits"):
        image_reader(spec(2, 16)).read(picture(2))


def test_a_value_far_beyond_the_learned_range_is_a_bad_row() -> None:
    narrow = image_reader(spec(1, "float", range=[0.0, 1e-3]))
    assert narrow.read(np.full((4, 4), 5.0))["image"].max() == pytest.approx(5_000)
    with pytest.raises(RowError, match=r"far beyond the range of 0 to 0\.001"):
        narrow.read(np.full((4, 4), 3e38))


def asked(**told: Any) -> dict[str, Any]:
    return {"kind": "image-channels", **SPEC, **told}


def test_mean_and_spread_are_those_of_the_training_pictures() -> None:
    raws = [picture(4, "u2", (9 + number, 7)) * (1 + number % 2) // 2 for number in range(5)]
    found = learn([*raws, picture(3, "u2")], asked(channels=4))
    assert (found["depth"], found["range"]) == (16, [0.0, 65_535.0])
    shares = [each.reshape(-1, 4) / 65_535 for each in raws]
    mean = np.mean([each.mean(0) for each in shares], 0)
    square = np.mean([(each**2).mean(0) for each in shares], 0)
    np.testing.assert_allclose(found["mean"], mean, rtol=1e-6)
    np.testing.assert_allclose(found["std"], np.sqrt(square - mean**2), rtol=1e-6)
    assert learn(iter(()), found) == found
    floats = learn([np.array([[[-2.0], [6.0]]])], asked(channels=1))
    assert (floats["range"], floats["mean"]) == ([-2.0, 6.0], [0.5])


def test_depths_that_differ_stop_unless_one_is_asked_for() -> None:
    raws = [picture(4, "u2"), picture(4)]
    with pytest.raises(DataError, match=r"hold 16 bits and 8 bits.*reader\.depth"):
        learn(raws, asked(channels=4))
    assert learn(raws, asked(channels=4, depth=8))["range"] == [0.0, 255.0]
    with pytest.raises(DataError, match=r"no training picture.*has 4 channels"):
        learn(raws, asked(channels=5))


def test_rgb_keeps_the_mean_of_its_weights_and_other_channels_learn_theirs() -> None:
    family, size, found = Catalog(strict=True).backbone("resnet-18")
    origin = Origin(backbone="resnet-18", size=size, config=dict(found.config))
    three = family.reader(origin, {"channels": 3})
    assert learn([picture(3)], three)["mean"] == three["mean"]
    assert learn([picture(3, "u2")], three)["mean"] != three["mean"]
    assert "mean" not in family.reader(origin, {"channels": 4})
    assert family.reader(origin, {})["kind"] == "image"


@pytest.mark.parametrize("kind", ["u1", "f4"])
@pytest.mark.parametrize("policy", [LIGHT, STRONG, Policy(color=0.5, gray=1.0, blur=1.0)])
def test_augmentation_keeps_channels_and_leaves_colours_alone(kind: str, policy: Policy) -> None:
    image = picture(5, kind, (64, 72))
    found = policy.apply(image, np.random.default_rng(3))
    assert (found.dtype, found.shape) == (image.dtype, image.shape)
    assert not np.array_equal(found, image)
    assert erased(image, np.random.default_rng(0)).dtype == image.dtype
    assert blended(image[None], image[None], 0.3, np.random.default_rng(0))[0].dtype == image.dtype


def test_channels_move_as_colours_do() -> None:
    """Four copies of a grey picture in 8 bits are moved to the pixels that RGB is moved to."""
    grey = picture(1, "u1", (48, 40))
    policy = Policy(crop=(0.3, 0.6), flip=True, rotate=30)
    rgb, four = np.repeat(grey, 3, 2), np.repeat(grey, 4, 2)
    for seed in range(8):
        wanted = policy.apply(rgb, np.random.default_rng(seed))
        found = policy.apply(four, np.random.default_rng(seed))
        np.testing.assert_array_equal(found[..., :3], wanted)
        np.testing.assert_array_equal(found[..., 3], wanted[..., 0])


def test_planes_give_their_values_back() -> None:
    for kind in ("u1", "f4"):
        values = picture(3, kind)
        np.testing.assert_array_equal(Planes.of(values).values, values)
