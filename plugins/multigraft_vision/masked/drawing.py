"""Which squares of a picture are hidden, drawn in numpy."""

from __future__ import annotations

import numpy as np


def drawn(rows: int, count: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Which of ``count`` squares each row hides: bool [rows, count], as many in every row, at least
    one hidden and one not."""
    hidden = min(max(1, round(share * count)), count - 1)
    order = rng.permuted(np.tile(np.arange(count), (rows, 1)), axis=1)
    return order < hidden


def numbers(chosen: np.ndarray) -> np.ndarray:
    """The numbers of the squares that are chosen, as many in every row: bool [B, N] -> int64 [B,
    K]."""
    return np.nonzero(chosen)[1].reshape(len(chosen), -1).astype(np.int64)


def enlarged(chosen: np.ndarray, square: int, size: tuple[int, int]) -> np.ndarray:
    """The pixels of the squares that are chosen: bool [B, rows, columns] -> [B, H, W]; those at the
    far sides are cut off."""
    pixels = chosen.repeat(square, axis=1).repeat(square, axis=2)
    found: np.ndarray = pixels[:, : size[0], : size[1]]
    return found


def painted(image: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """A copy whose hidden pixels have the mean colour of the row's others: [B, H, W, C], bool [B,
    H, W]."""
    seen = ~hidden[..., None]
    colour = (image * seen).sum((1, 2), dtype=np.float64) / seen.sum((1, 2))
    whole = np.rint(colour) if image.dtype == np.uint8 else colour
    return np.where(seen, image, whole.astype(image.dtype)[:, None, None])
