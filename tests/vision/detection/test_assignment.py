"""Task-aligned assignment: by hand on few points, and what holds of any."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from multigraft_vision.detection.assignment import CANDIDATES, CROWD, NOTHING, assign
from multigraft_vision.detection.objective import _box_loss, _class_loss, _seen
from multigraft_vision.detection.overlap import pairwise
from multigraft_vision.detection.points import points_of

PLACES = points_of(64, 64, (8, 16))


def given(rows: int = 2, objects: int = 4, seed: int = 0) -> dict[str, Any]:
    torch.manual_seed(seed)
    centre = PLACES[:, :2].expand(rows, -1, -1)
    reach = torch.rand(rows, len(PLACES), 2) * 20 + 2
    corner = torch.rand(rows, objects, 2) * 40
    return {
        "places": PLACES,
        "boxes": torch.cat([centre - reach, centre + reach], 2),
        "scores": torch.rand(rows, len(PLACES), 3),
        "objects": torch.cat([corner, corner + torch.rand(rows, objects, 2) * 24 + 1], 2),
        "labels": torch.randint(0, 3, (rows, objects)),
    }


def test_the_best_aligned_point_is_to_score_its_overlap() -> None:
    case = given(1, 1)
    found = assign(**case)
    overlap = pairwise(case["objects"], case["boxes"])[0, 0]
    x, y = PLACES[:, 0], PLACES[:, 1]
    left, top, right, bottom = case["objects"][0, 0]
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    aligned = case["scores"][0, :, case["labels"][0, 0]] * overlap**6
    best = torch.where(inside, aligned, -1).argmax()
    quality = found.quality[0]
    assert quality.argmax() == best
    assert quality.max() == pytest.approx(overlap[quality > 0].max().item())
    chosen = quality > 0
    torch.testing.assert_close(
        quality[chosen], aligned[chosen] / aligned[best] * overlap[chosen].max()
    )


@pytest.mark.parametrize("seed", range(5))
def test_what_holds_of_any_assignment(seed: int) -> None:
    case = given(3, 6, seed)
    found = assign(**case)
    assert ((found.quality >= 0) & (found.quality <= 1)).all()
    for row in range(3):
        taken = found.quality[row] > 0
        counts = torch.bincount(found.objects[row][taken], minlength=6)
        assert counts.max() <= CANDIDATES
    alone = assign(**{**case, **{name: case[name][1:2] for name in case if name != "places"}})
    torch.testing.assert_close(alone.quality[0], found.quality[1])


def test_a_small_object_between_points_is_learned_all_the_same() -> None:
    case = given(1, 1)
    case["objects"] = torch.tensor([[[7.0, 7.0, 9.0, 9.0]]])
    assert (assign(**case).quality > 0).any()


def test_padding_learns_nothing_and_a_crowd_is_not_unlearned() -> None:
    case = given(1, 2)
    case["labels"] = torch.tensor([[NOTHING, CROWD]])
    case["objects"][0, 1] = torch.tensor([0.0, 0.0, 32.0, 32.0])
    found = assign(**case)
    assert not found.quality.any()
    inside = (PLACES[:, :2] < 32).all(1)
    assert (found.ignored[0] == inside).all()
    logits = torch.zeros(1, len(PLACES), 3)
    # |0 - 1/2|^2 ln 2 a class, at every point outside the crowd
    wanted = (~inside).sum() * 3 * 0.25 * torch.tensor(2.0).log()
    torch.testing.assert_close(_class_loss(logits, case["labels"], found), wanted[None])


def test_what_is_told_exactly_costs_nothing() -> None:
    case = given(1, 1)
    case["boxes"] = case["objects"].expand(-1, len(PLACES), -1)
    found = assign(**case)
    torch.testing.assert_close(_box_loss(case["boxes"], case["objects"], found), torch.zeros(1))
    number = case["labels"][0, 0]
    logits = torch.full((1, len(PLACES), 3), -30.0)
    logits[0, :, number] = torch.logit(found.quality[0], eps=1e-6)
    assert _class_loss(logits, case["labels"], found).item() < 1e-4


def test_what_a_crop_left_too_little_of_is_neither_learned_nor_unlearned() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 9.0, 9.0], [0.0, 0.0, 1.5, 9.0], [0.0, 0.0, 0.0, 0.0]]])
    found = _seen(boxes, torch.tensor([[2, 2, NOTHING]]))
    assert found.tolist() == [[2, CROWD, NOTHING]]
