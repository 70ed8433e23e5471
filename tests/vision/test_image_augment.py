from __future__ import annotations

import colorsys
import pickle

import numpy as np
import pytest
from PIL import Image

from multigraft_vision.augment import LIGHT, OPERATIONS, STRONG, Policy, policy

SQUARE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    "changes", [LIGHT, STRONG, Policy(crop=(0.1, 1), rotate=30, color=1, gray=0.5)]
)
@pytest.mark.parametrize("shape", [(32, 32, 3), (80, 96, 3)])
def test_shape_type_and_original_are_kept_and_the_seed_decides(changes, shape):
    image = generator().integers(0, 256, shape, dtype=np.uint8)
    before = image.copy()
    one, same, other = (changes({"image": image}, generator(seed))["image"] for seed in (1, 1, 2))
    assert one.shape == shape
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    np.testing.assert_array_equal(image, before)


def test_no_chance_but_the_generators_is_used():
    state = np.random.get_state()[1].copy()
    STRONG.apply(SQUARE, generator())
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_a_policy_without_changes_changes_nothing():
    np.testing.assert_array_equal(Policy().apply(SQUARE, generator()), SQUARE)


def test_flip_mirrors_about_half():
    flipped = 0
    for seed in range(200):
        image = Policy(flip=True).apply(SQUARE, generator(seed))
        if (image != SQUARE).any():
            np.testing.assert_array_equal(image, SQUARE[:, ::-1])
            flipped += 1
    assert 70 < flipped < 130


def test_a_crop_keeps_the_share_of_the_area_asked_for():
    """A picture of its own coordinates shows which part was kept."""
    x, y = np.meshgrid(np.arange(100), np.arange(100))
    image = np.stack([x, y, x], -1).astype(np.uint8)
    shares = []
    for seed in range(100):
        kept = Policy(crop=(0.25, 0.5), ratio=(0.5, 2)).apply(image, generator(seed)).astype(float)
        wide, tall = np.ptp(kept[:, :, 0]) + 1, np.ptp(kept[:, :, 1]) + 1
        assert 0.45 < wide / tall < 2.2
        shares.append(wide * tall / 100**2)
    assert 0.22 < min(shares) < 0.28
    assert 0.45 < max(shares) < 0.54


def test_gray_takes_all_colour():
    grey = Policy(gray=1.0).apply(SQUARE, generator())
    assert (grey == grey[:, :, :1]).all()


def test_hue_turns_the_colour_circle_and_nothing_else():
    from multigraft_vision.augment import _hue

    turned = np.asarray(_hue(Image.new("RGB", (1, 1), (200, 100, 50)), 0.25))[0, 0] / 255
    before = colorsys.rgb_to_hsv(200 / 255, 100 / 255, 50 / 255)
    after = colorsys.rgb_to_hsv(*turned)
    assert after[0] - before[0] == pytest.approx(0.25, abs=0.01)
    assert after[1:] == pytest.approx(before[1:], abs=0.02)


def test_blur_spares_small_images():
    small, large = SQUARE, generator().integers(0, 256, (224, 224, 3), dtype=np.uint8)
    np.testing.assert_array_equal(Policy(blur=1.0).apply(small, generator()), small)
    assert Policy(blur=1.0).apply(large, generator()).std() < large.std()


@pytest.mark.parametrize("index", range(len(OPERATIONS)))
def test_every_operation_changes_a_picture_at_its_strongest(index):
    # neither black nor white, so that contrast can grow
    picture = Image.fromarray(60 + SQUARE // 2)
    changed = OPERATIONS[index](picture, 1.0)
    assert changed.size == picture.size
    assert changed.mode == "RGB"
    assert (np.asarray(changed) != np.asarray(picture)).any()


def test_strengths_are_policies_that_travel_to_worker_processes():
    options = {"flip": True, "mosaic": 0.0}
    light, strong = (policy(strength, None, options) for strength in ("light", "strong"))
    mosaic = policy("light", None, {**options, "mosaic": 0.5})
    for each in (strong, mosaic):
        assert pickle.loads(pickle.dumps(each)) == each
    assert light != strong
    far = [np.abs(light.apply(SQUARE, generator(s)).astype(int) - SQUARE).mean() for s in range(30)]
    farther = [
        np.abs(strong.apply(SQUARE, generator(s)).astype(int) - SQUARE).mean() for s in range(30)
    ]
    assert np.mean(far) < np.mean(farther)
