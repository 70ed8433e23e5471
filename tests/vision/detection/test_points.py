"""Points, overlap and the head: the field's formulas, at any size and in any company."""

from __future__ import annotations

import pytest
import torch
from torchvision.ops import box_iou, generalized_box_iou

from multigraft import Features
from multigraft_vision.detection.head import PRIOR, REACH, DetectionHead
from multigraft_vision.detection.overlap import generalised, pairwise
from multigraft_vision.detection.points import boxes_at, points_of


def boxes(count: int) -> torch.Tensor:
    corner = torch.rand(count, 2) * 50
    return torch.cat([corner, corner + torch.rand(count, 2) * 30 + 0.5], 1)


def test_overlaps_are_those_of_torchvision() -> None:
    torch.manual_seed(0)
    one, other = boxes(40), boxes(40)
    torch.testing.assert_close(pairwise(one[None], other[None])[0], box_iou(one, other))
    wanted = generalized_box_iou(one, other).diagonal()
    torch.testing.assert_close(generalised(one, other), wanted)


def test_points_are_the_centres_of_cells() -> None:
    found = points_of(9, 17, (8, 16))
    assert len(found) == 2 * 3 + 1 * 2
    assert found[[0, 2, 3, 6, 7]].tolist() == [
        [4, 4, 8],
        [20, 4, 8],
        [4, 12, 8],
        [8, 8, 16],
        [24, 8, 16],
    ]
    sides = torch.tensor([[[0.5, 0.25, 1.0, 2.0]]])
    assert boxes_at(found[:1], sides).tolist() == [[[0, 2, 12, 20]]]


@pytest.fixture(scope="module")
def head() -> DetectionHead:
    torch.manual_seed(0)
    return DetectionHead((6, 8, 10), (8, 16, 32), classes=3, width=32, depth=1).eval()


def maps(rows: int, height: int, width: int) -> Features:
    torch.manual_seed(1)
    sizes = [(-(-height // stride), -(-width // stride)) for stride in (8, 16, 32)]
    found = [
        torch.randn(rows, channels, *size) for channels, size in zip((6, 8, 10), sizes, strict=True)
    ]
    return Features(pooled=torch.zeros(rows, 1), maps=tuple(found))


@pytest.mark.parametrize("size", [(64, 64), (75, 49), (8, 33)])
@torch.no_grad()
def test_a_row_is_answered_alike_in_any_company(head: DetectionHead, size: tuple[int, int]) -> None:
    together = maps(3, *size)
    outputs = head(together, {})
    assert outputs["boxes"].shape == (3, len(points_of(*size, (8, 16, 32))), 4)
    for row in range(3):
        alone = Features(
            pooled=together.pooled[:1], maps=tuple(each[row : row + 1] for each in together.maps)
        )
        for name, found in head(alone, {}).items():
            torch.testing.assert_close(found[0], outputs[name][row], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_new_head_is_sure_of_nothing_and_its_boxes_are_of_their_level(
    head: DetectionHead,
) -> None:
    outputs = head(maps(2, 64, 64), {})
    chances = outputs["logits"].sigmoid()
    assert chances.mean().item() == pytest.approx(PRIOR, rel=0.3)
    sides = outputs["boxes"][..., 2:] - outputs["boxes"][..., :2]
    strides = points_of(64, 64, (8, 16, 32))[:, 2:]
    assert (sides / strides).mean().item() == pytest.approx(2 * REACH, rel=0.2)
