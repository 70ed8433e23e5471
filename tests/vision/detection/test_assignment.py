"""Centre sampling and its losses: torchvision's FCOS as the oracle, and what holds of any."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torchvision.models.detection import FCOS
from torchvision.models.detection.fcos import FCOSHead

from multigraft_vision.detection.assignment import assign, centreness
from multigraft_vision.detection.object_rows import CROWD, NOTHING
from multigraft_vision.detection.objective import ObjectDetection, _class_loss, _seen
from multigraft_vision.detection.points import boxes_at, points_of

STRIDES = (8, 16, 32)
PLACES = points_of(128, 128, STRIDES)
CLASSES = 3


def objects_of(rows: int, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    corner = torch.rand(rows, count, 2) * 60
    boxes = torch.cat([corner, corner + torch.rand(rows, count, 2) * 60 + 8], 2)
    return boxes, torch.randint(0, CLASSES, (rows, count))


def fcos(boxes: torch.Tensor, labels: torch.Tensor, outputs: dict[str, torch.Tensor]) -> Any:
    """What torchvision computes of the same outputs: each loss over the points that learn."""
    half = PLACES[:, 2:] / 2
    anchors = torch.cat([PLACES[:, :2] - half, PLACES[:, :2] + half], 1)
    body: Any = torch.nn.Identity()
    body.out_channels = 32
    model = FCOS(body, CLASSES, head=FCOSHead(32, 1, CLASSES, 1))
    counts = [(PLACES[:, 2] == stride).sum().item() for stride in STRIDES]
    targets = [{"boxes": b, "labels": c} for b, c in zip(boxes, labels, strict=True)]
    told = {
        "cls_logits": outputs["logits"],
        "bbox_regression": outputs["distances"],
        "bbox_ctrness": outputs["middle"].unsqueeze(2),
    }
    return model.compute_loss(targets, told, [anchors] * len(boxes), counts)


def objective() -> ObjectDetection:
    levels = [SimpleNamespace(stride=stride) for stride in STRIDES]
    brief: Any = SimpleNamespace(
        targets={"labels": ["a", "b", "c"]},
        backbone=SimpleNamespace(levels=levels),
        options={"finest": 8},
    )
    return ObjectDetection(brief)


@pytest.mark.parametrize("seed", range(5))
def test_the_loss_is_that_of_torchvisions_fcos(seed: int) -> None:
    boxes, labels = objects_of(4, 3, seed)
    shape = 4, len(PLACES)
    distances = torch.rand(*shape, 4) * 3 + 0.1
    outputs = {
        "logits": torch.randn(*shape, CLASSES) - 2,
        "middle": torch.randn(*shape),
        "distances": distances,
        "boxes": boxes_at(PLACES, distances),
    }
    batch = {"boxes": boxes, "classes": labels, "extent": torch.tensor([[128.0, 128.0]] * 4)}
    found = objective().loss(outputs, batch)
    wanted = sum(fcos(boxes, labels, outputs).values())
    torch.testing.assert_close(found.total.sum() / found.weight.sum(), wanted)


@pytest.mark.parametrize("seed", range(3))
def test_a_row_learns_the_same_in_any_company(seed: int) -> None:
    boxes, labels = objects_of(3, 6, seed)
    found, alone = assign(PLACES, boxes, labels), assign(PLACES, boxes[1:2], labels[1:2])
    assert found.learned.any(1).all()
    torch.testing.assert_close(alone.objects[0], found.objects[1])
    torch.testing.assert_close(alone.learned[0], found.learned[1])


def test_what_is_served_costs_what_the_head_gives() -> None:
    boxes, labels = objects_of(2, 3, 0)
    shape, judge = (2, len(PLACES)), objective()
    outputs = {
        "logits": torch.randn(*shape, CLASSES) - 2,
        "middle": torch.randn(*shape),
        "boxes": boxes_at(PLACES, torch.rand(*shape, 4) * 3 + 0.1),
    }
    features: Any = None
    served = judge.serve(features, outputs)
    assert served["scores"].min() >= 0 and served["scores"].max() <= 1
    batch = {"boxes": boxes, "classes": labels, "extent": torch.tensor([[128.0, 128.0]] * 2)}
    torch.testing.assert_close(
        judge.loss(served, batch).total, judge.loss(outputs, batch).total, rtol=1e-4, atol=1e-4
    )


def test_a_small_object_between_points_is_learned_all_the_same() -> None:
    found = assign(PLACES, torch.tensor([[[7.0, 7.0, 9.0, 9.0]]]), torch.tensor([[1]]))
    assert found.learned.sum() == 4
    assert (PLACES[found.learned[0], 2] == 8).all()


def test_a_point_learns_the_smaller_of_two_objects() -> None:
    boxes = torch.tensor([[[4.0, 4.0, 60.0, 60.0], [24.0, 24.0, 40.0, 40.0]]])
    found = assign(PLACES, boxes, torch.tensor([[0, 1]]))
    assert found.learned.any() and (found.objects[found.learned] == 1).all()


def test_padding_learns_nothing_and_a_crowd_is_not_unlearned() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 32.0, 32.0], [0.0, 0.0, 32.0, 32.0]]])
    labels = torch.tensor([[NOTHING, CROWD]])
    found = assign(PLACES, boxes, labels)
    assert not found.learned.any()
    inside = (PLACES[:, :2] < 32).all(1)
    assert (found.ignored[0] == inside).all()
    # 3/4 |0 - 1/2|^2 ln 2 a class, at every point outside the crowd
    wanted = (~inside).sum() * CLASSES * 0.75 * 0.25 * torch.tensor(2.0).log()
    torch.testing.assert_close(
        _class_loss(torch.zeros(1, len(PLACES), CLASSES), labels, found), wanted[None]
    )


def test_the_middle_is_told_by_the_nearer_of_opposite_sides() -> None:
    place = torch.tensor([[10.0, 10.0, 8.0]])
    boxes = torch.tensor([[[0.0, 0.0, 20.0, 20.0]], [[5.0, 0.0, 25.0, 20.0]], [[12.0, 0, 20, 20]]])
    torch.testing.assert_close(centreness(place, boxes), torch.tensor([[1.0], [3**-0.5], [0.0]]))


def test_what_a_crop_left_too_little_of_is_neither_learned_nor_unlearned() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 9.0, 9.0], [0.0, 0.0, 1.5, 9.0], [0.0, 0.0, 0.0, 0.0]]])
    found = _seen(boxes, torch.tensor([[2, 2, NOTHING]]))
    assert found.tolist() == [[2, CROWD, NOTHING]]
