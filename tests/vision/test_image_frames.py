"""Where the pixels of a read and augmented picture come from: its frame, by torchvision and by the
pixels themselves."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

from multigraft import Origin, RowError
from multigraft.contracts.frames import (
    EXTENT,
    FRAME,
    PICTURE,
    inverse,
    mirror,
    move_boxes,
    move_mask,
    move_points,
    scaling,
    shift,
    then,
)
from multigraft_vision.augment import OPERATIONS, TURN, Geometric, Policy
from multigraft_vision.images import ImageReader
from multigraft_vision.placed_images import PlacedImageReader
from multigraft_vision.plan import reader_spec
from multigraft_vision.reader import image_reader

SIZES = [(64, 48), (48, 64), (50, 50), (37, 91)]


def images(fit: str = "center", crop: float = 0.875) -> ImageReader:
    return ImageReader(
        size=(32, 32), crop=crop, interpolation="bilinear", fit=fit, max_pixels=10**6
    )


def reader(fit: str = "center", crop: float = 0.875) -> PlacedImageReader:
    return PlacedImageReader(images(fit, crop))


def blobs(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture [H, W, 3] with a soft blob in each channel, and their centres [3, 2]."""
    centres = np.array([[0.4, 0.45], [0.6, 0.5], [0.5, 0.65]]) * [width, height]
    x, y = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    spread = min(width, height) / 12
    layers = [np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * spread**2)) for a, b in centres]
    return (255 * np.stack(layers, axis=-1)).astype(np.uint8), centres


def found(image: np.ndarray) -> np.ndarray:
    """The centre of each channel's blob."""
    weight = np.clip(image.astype(float) - 100, 0, None)
    x, y = np.arange(image.shape[1]) + 0.5, np.arange(image.shape[0])[:, None] + 0.5
    total = weight.sum((0, 1))
    across, down = (weight * x[:, None]).sum((0, 1)), (weight * y[..., None]).sum((0, 1))
    return np.stack([across, down], axis=1) / total[:, None]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fit", ["center", "squash", "pad"])
def test_a_read_pictures_frame_says_where_its_pixels_are(size: tuple[int, int], fit: str) -> None:
    image, centres = blobs(*size)
    row = reader(fit, crop=1.0).read(image)
    np.testing.assert_allclose(found(row["image"]), move_points(centres, row[FRAME]), atol=0.25)
    assert row[EXTENT].tolist() == [32, 32]
    assert row[PICTURE].tolist() == list(size)


@pytest.mark.parametrize("size", SIZES)
def test_boxes_and_masks_move_as_torchvisions(size: tuple[int, int]) -> None:
    """Resize and centre crop of boxes by torchvision; the mask where it is enlarged exactly."""
    width, height = size
    rng = np.random.default_rng(3)
    corners = np.sort(rng.uniform(0, 1, (20, 2, 2)), axis=1) * size
    boxes = corners.reshape(-1, 4).astype(np.float32)
    row = reader().read(np.zeros((height, width, 3), np.uint8))
    theirs = tv_tensors.BoundingBoxes(
        torch.from_numpy(boxes), format="XYXY", canvas_size=(height, width)
    )
    theirs = v2.functional.center_crop(v2.functional.resize(theirs, [36]), [32, 32])
    ours, kept = move_boxes(boxes, row[FRAME], row[EXTENT])
    left = (theirs[:, 2] > theirs[:, 0]) & (theirs[:, 3] > theirs[:, 1])
    np.testing.assert_array_equal(kept, left.numpy())
    np.testing.assert_allclose(ours, theirs[left].numpy(), atol=1e-3)


def test_bars_around_a_picture_are_nothing_to_masks_and_boxes() -> None:
    row = reader("pad", crop=1.0).read(np.zeros((16, 32, 3), np.uint8))
    mask = move_mask(np.ones((16, 32), np.uint8), row[FRAME], row[EXTENT], 255)
    assert (mask[8:24] == 1).all() and (mask[:8] == 255).all() and (mask[24:] == 255).all()
    boxes, kept = move_boxes(np.array([[0, 0, 32, 16]], np.float32), row[FRAME], row[EXTENT])
    assert kept.all() and boxes.tolist() == [[0, 8, 32, 24]]


@pytest.mark.parametrize("size", [(100, 40), (40, 100), (32, 32), (33, 32), (90, 90)])
@pytest.mark.parametrize("crop", [1.0, 0.3])
def test_tiles_cover_a_picture_and_share_a_quarter(size: tuple[int, int], crop: float) -> None:
    image, _ = blobs(*size)
    placed = reader(crop=crop)
    first = placed.read(image)
    windows = placed.windows(image)
    for name, array in first.items():
        np.testing.assert_array_equal(windows[0][name], array)
    assert (int(first["rest"]) == 0) == (len(windows) == 1)
    seen = np.zeros(size[::-1], int)
    corners = np.array([[0, 0], [32, 32]], np.float64)
    for window in windows:
        (left, top), (right, bottom) = move_points(corners, inverse(window[FRAME])).round(3)
        seen[max(0, int(top)) : int(np.ceil(bottom)), max(0, int(left)) : int(np.ceil(right))] += 1
    assert (seen > 0).all()


def test_the_memory_of_a_strip_is_that_of_its_tiles() -> None:
    """A small file may become a long picture: its tiles count before anything is decoded."""
    held = BytesIO()
    Image.new("RGB", (4000, 8)).save(held, "PNG")
    placed = reader(crop=1.0)
    tiles = sum(window["image"].nbytes for window in placed.windows(held.getvalue()))
    assert tiles > 100 * placed.read(held.getvalue())["image"].nbytes
    assert placed.memory(held.getvalue()) > tiles + 4 * 16_000 * 32
    assert placed.memory(np.zeros((8, 4000, 3), np.uint8)) > tiles
    with pytest.raises(RowError, match="header"):
        placed.memory(b"no picture")


def test_places_cost_nothing_where_they_are_not_asked_for() -> None:
    plain = images()
    assert plain.read(blobs(40, 30)[0]).keys() == {"image"}
    assert "places" not in plain.spec()
    assert image_reader(reader().spec()) == reader()
    origin = Origin(backbone="timm/resnet18", size="resnet18", config={"architecture": "resnet18"})
    specs = [reader_spec(origin, {"places": asked}) for asked in (True, False)]
    assert [spec.get("places") for spec in specs] == [True, None]


GEOMETRIC = [index for index, each in enumerate(OPERATIONS) if isinstance(each, Geometric)]


@pytest.mark.parametrize(
    "policy",
    [
        Policy(flip=True),
        Policy(crop=(0.6, 0.9), ratio=(0.8, 1.25)),
        Policy(rotate=20),
        Policy(crop=(0.7, 0.9), flip=True, rotate=10),
    ],
)
def test_the_frame_follows_the_augmentation(policy: Policy) -> None:
    image, centres = blobs(64, 64)
    row = {"image": image, FRAME: np.eye(2, 3, dtype=np.float32), "other": np.ones(2)}
    moved = 0.0
    for seed in range(12):
        changed = policy(row, np.random.default_rng(seed))
        wanted = move_points(centres, changed[FRAME])
        inside = ((wanted > 12) & (wanted < 52)).all(1)
        np.testing.assert_allclose(found(changed["image"])[inside], wanted[inside], atol=0.6)
        moved = max(moved, float(np.abs(wanted - centres).max()))
        np.testing.assert_array_equal(
            changed["image"], policy.apply(image, np.random.default_rng(seed))
        )
    assert moved > 2
    assert row[FRAME].tolist() == np.eye(2, 3).tolist()


@pytest.mark.parametrize("index", GEOMETRIC)
@pytest.mark.parametrize("strength", [-0.4, 0.25])
def test_each_operation_that_moves_pixels_says_where_to(index: int, strength: float) -> None:
    image, centres = blobs(64, 64)
    operation = OPERATIONS[index]
    assert isinstance(operation, Geometric)
    picture = Image.fromarray(image)
    wanted = move_points(centres, inverse(operation.back(picture, strength)))
    inside = ((wanted > 12) & (wanted < 52)).all(1)
    assert inside.any()
    changed = np.array(operation(picture, strength))
    np.testing.assert_allclose(found(changed)[inside], wanted[inside], atol=0.6)


def test_no_other_operation_moves_pixels() -> None:
    """Exactly those change a mirrored picture otherwise than the picture itself."""
    image = np.random.default_rng(0).integers(0, 256, (24, 24, 3)).astype(np.uint8)
    sides = (np.fliplr, np.flipud)

    def blind(index: int) -> bool:
        changes = OPERATIONS[index]
        return all(
            np.array_equal(
                side(np.array(changes(Image.fromarray(image), 0.3))),
                np.array(changes(Image.fromarray(np.ascontiguousarray(side(image))), 0.3)),
            )
            for side in sides
        )

    assert [index for index in range(len(OPERATIONS)) if not blind(index)] == GEOMETRIC


@pytest.mark.parametrize("degrees", [-170.0, -33.3, -5.0, 0.7, 12.5, 91.0])
def test_a_turn_is_pillows(degrees: float) -> None:
    picture = Image.fromarray(blobs(64, 48)[0])
    theirs = picture.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=picture.getpixel((0, 0)))
    np.testing.assert_array_equal(np.array(TURN(picture, degrees)), np.array(theirs))


def test_a_flipped_crops_mask_is_torchvisions() -> None:
    mask = np.random.default_rng(0).integers(0, 5, (24, 24)).astype(np.uint8)
    theirs = tv_tensors.Mask(torch.from_numpy(mask))
    theirs = v2.functional.horizontal_flip(
        v2.functional.resized_crop(theirs, 4, 6, 16, 16, [32, 32])
    )
    frame = then(then(shift(-6, -4), scaling(2, 2)), mirror(32))
    np.testing.assert_array_equal(move_mask(mask, frame, np.array([32, 32]), 255), theirs.numpy())
