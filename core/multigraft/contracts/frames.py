"""Frames: how points, boxes and masks are carried from a raw value's plane to the input's pixels,
and back.

A frame is a float array [2, 3], an affine map: x, y and 1 of the raw plane give x, y of the input.
Pixels are areas: the first one reaches from 0 to 1, and its centre lies at 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multigraft.contracts.padding import Fill, fill_of
from multigraft.errors import PluginError

FRAME, EXTENT = "frame", "extent"
"""The arrays of a row that say where its plane lies: float32 [2, 3], and the input's width and
height [2]."""
PICTURE = "picture"
"""The width and height of the raw plane, float32 [2], where answers lie on it."""
MASK, BOXES, POINTS, WITH = "mask", "boxes", "points", "with:"
"""How a target moves; what is said ``with:`` a target of boxes has one entry for each of them."""


def scaling(x: float, y: float) -> np.ndarray:
    """The frame of a plane that is resized by these factors."""
    return np.array([[x, 0, 0], [0, y, 0]], dtype=np.float64)


def shift(x: float, y: float) -> np.ndarray:
    """The frame of a plane that is moved right and down; a crop moves it left and up."""
    return np.array([[1, 0, x], [0, 1, y]], dtype=np.float64)


def mirror(width: float) -> np.ndarray:
    """The frame of a plane whose left and right are exchanged."""
    return np.array([[-1, 0, width], [0, 1, 0]], dtype=np.float64)


def then(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The frame of ``first`` followed by ``second``.

    >>> then(shift(-2, 0), mirror(10)).tolist()
    [[-1.0, 0.0, 12.0], [0.0, 1.0, 0.0]]
    """
    made = second[:, :2] @ np.asarray(first, dtype=np.float64)
    made[:, 2] += second[:, 2]
    return made


def inverse(frame: np.ndarray) -> np.ndarray:
    """The way back: answers in the input's pixels become places of the raw value.

    >>> inverse(scaling(2, 4)).tolist()
    [[0.5, 0.0, 0.0], [0.0, 0.25, 0.0]]
    """
    back = np.linalg.inv(np.asarray(frame[:, :2], dtype=np.float64))
    return np.column_stack([back, -back @ frame[:, 2]]) + 0.0  # no zero is negative


def move_points(points: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Points [..., 2] of one plane on the other; those that leave it stay beyond its edge."""
    moved: np.ndarray = points @ frame[:, :2].T.astype(np.float64) + frame[:, 2]
    return moved.astype(points.dtype)


def move_boxes(
    boxes: np.ndarray, frame: np.ndarray, extent: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes [N, 4] (left, top, right, bottom) cut to the plane they are moved to, and which were
    kept.

    A box that leaves the plane is dropped: [M, 4] and bool [N]. One that is turned becomes the
    smallest upright box around it.
    """
    corners = move_points(boxes[:, [0, 1, 2, 1, 0, 3, 2, 3]].reshape(-1, 4, 2), frame)
    limits = np.asarray(extent, dtype=boxes.dtype)
    low, high = corners.min(1).clip(0, limits), corners.max(1).clip(0, limits)
    kept: np.ndarray = (high > low).all(1)
    return np.concatenate([low, high], axis=1)[kept], kept


def move_mask(
    mask: np.ndarray, frame: np.ndarray, extent: np.ndarray, outside: float
) -> np.ndarray:
    """Classes [H, W] on the other plane: each of its pixels has that of the pixel below its centre.

    Where there is none, ``outside``.
    """
    back, (width, height) = inverse(frame), (round(float(side)) for side in extent)
    x, y = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    column, row = (np.floor(a * x + b * y + c).astype(np.int64) for a, b, c in back)
    tall, wide = mask.shape
    inside = (column >= 0) & (column < wide) & (row >= 0) & (row < tall)
    below = mask[row.clip(0, tall - 1), column.clip(0, wide - 1)]
    moved: np.ndarray = np.where(inside, below, np.asarray(outside, dtype=mask.dtype))
    return moved


def moved(
    row: Mapping[str, np.ndarray], moves: Mapping[str, str], fills: Mapping[str, float | Fill]
) -> dict[str, np.ndarray]:
    """The row with its targets carried from the raw plane to the input's by the row's frame."""
    there = {name: kind for name, kind in moves.items() if name in row}
    found = dict(row)
    if not there:
        return found
    frame, extent = plane(row)
    if not frame.any():  # of a branch that the row lacks
        return found
    kept: dict[str, np.ndarray] = {}
    for name, kind in there.items():
        if kind == BOXES:
            found[name], kept[name] = move_boxes(row[name], frame, extent)
        elif kind == POINTS:
            found[name] = move_points(row[name], frame)
        elif kind == MASK:
            found[name] = move_mask(row[name], frame, extent, fill_of(fills[name]).value)
    for name, kind in there.items():
        if kind.startswith(WITH):
            found[name] = row[name][kept[kind.removeprefix(WITH)]]
    return found


@dataclass(frozen=True)
class Piece:
    """A row's plane as a part of a joined one."""

    frame: np.ndarray
    """[2, 3]: from the row's input pixels to the joined ones."""
    window: tuple[int, int, int, int]
    """Left, top, right, bottom: the joined pixels that show it."""


def joined(
    rows: Sequence[Mapping[str, np.ndarray]],
    pieces: Sequence[Piece],
    moves: Mapping[str, str],
    fills: Mapping[str, float | Fill],
) -> dict[str, np.ndarray]:
    """The targets of rows, which lie in each one's input pixels, in those that are joined of
    them."""
    boxes = {
        name: [_in_window(row[name], piece) for row, piece in zip(rows, pieces, strict=True)]
        for name, kind in moves.items()
        if kind == BOXES
    }
    found = {name: np.concatenate([box for box, _ in each]) for name, each in boxes.items()}
    for name, kind in moves.items():
        if kind.startswith(WITH):
            kept = [each for _, each in boxes[kind.removeprefix(WITH)]]
            parts = [row[name][some] for row, some in zip(rows, kept, strict=True)]
            found[name] = np.concatenate(parts)
        elif kind == MASK:
            masks = [row[name] for row in rows]
            found[name] = _joined_mask(masks, pieces, fill_of(fills[name]).value)
    return found


def _in_window(boxes: np.ndarray, piece: Piece) -> tuple[np.ndarray, np.ndarray]:
    """Boxes cut to a piece's window, and which were kept."""
    left, top, right, bottom = piece.window
    frame = then(piece.frame, shift(-left, -top))
    cut, kept = move_boxes(boxes, frame, np.array([right - left, bottom - top]))
    return cut + np.array([left, top, left, top], dtype=cut.dtype), kept


def _joined_mask(
    masks: Sequence[np.ndarray], pieces: Sequence[Piece], outside: float
) -> np.ndarray:
    made = np.full_like(masks[0], outside)
    for mask, piece in zip(masks, pieces, strict=True):
        left, top, right, bottom = piece.window
        frame = then(piece.frame, shift(-left, -top))
        extent = np.array([right - left, bottom - top])
        made[top:bottom, left:right] = move_mask(mask, frame, extent, outside)
    return made


def check_moves(moves: Mapping[str, str], fills: Mapping[str, float | Fill]) -> None:
    """Raise PluginError where `Objective.moves` says what cannot be done."""
    for name, kind in moves.items():
        if kind == MASK and name not in fills:
            raise PluginError(
                f"moves: {name!r} is a mask, so fills must say what stands outside the picture"
            )
        if kind.startswith(WITH) and moves.get(kind.removeprefix(WITH)) != BOXES:
            raise PluginError(f"moves: {name!r} goes {kind!r}, and no target of boxes is so called")
        if kind not in (MASK, BOXES, POINTS) and not kind.startswith(WITH):
            raise PluginError(
                f"moves: {name!r} is {kind!r}; allowed: mask, boxes, points, or with:<the boxes>"
            )


def plane(row: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A row's frame and extent, of several branches those of the one that has a plane.

    Raises PluginError where its reader gives none, or more than one branch has them.
    """
    frames = [name for name in row if name == FRAME or name.endswith(f".{FRAME}")]
    if not frames:
        raise PluginError(
            f"targets that move need the arrays {FRAME!r} and {EXTENT!r} of the reader; say in "
            "Task.reader which of its options gives them"
        )
    if len(frames) > 1:
        raise PluginError(
            f"targets that move lie on one plane, and the row has {', '.join(sorted(frames))}"
        )
    return row[frames[0]], row[f"{frames[0].removesuffix(FRAME)}{EXTENT}"]
