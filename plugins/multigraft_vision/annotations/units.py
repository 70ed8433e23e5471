"""What all boxes of a file say together of the form they are written in: shares in the place of
pixels, corners in the place of width and height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from multigraft.errors import DataError
from multigraft_vision.annotations.boxes import ROUNDING

LIKE_CORNERS = (
    "most boxes reach beyond their pictures, and all would fit as left, top, right, bottom: these "
    "look like corners, and left, top, width, height are needed"
)


@dataclass
class Units:
    """The boxes of one file, as they are read."""

    inner: int = 0
    """Those that lie within 0 to 1."""
    parts: int = 0
    """Of those, the ones that are told by other than whole numbers."""
    outer: int = 0
    beyond: int = 0
    """Those that reach beyond their picture."""
    fit: int = 0
    """Those that would lie in it, were their width and height a second corner."""
    measured: int = 0
    """Those whose picture could be measured."""
    example: Sequence[float] = field(default=())

    def add(self, box: Sequence[float], size: tuple[int, int] | None) -> None:
        """Take a box by its corners, as the file has them."""
        if all(0 <= number <= 1 for number in box):
            self.inner += 1
            self.parts += not all(float(number).is_integer() for number in box)
            self.example = self.example or box
        else:
            self.outer += 1
        if size is not None:
            self.measured += 1
            left, top, right, bottom = box
            limits = size[0] + ROUNDING, size[1] + ROUNDING
            self.beyond += right > limits[0] or bottom > limits[1]
            second = right - left, bottom - top
            self.fit += left < second[0] <= limits[0] and top < second[1] <= limits[1]

    def check(self, file: str) -> None:
        """Raise DataError where all boxes are shares of the sides."""
        if self.outer or not self.parts:
            return
        told = ", ".join(f"{number:g}" for number in self.example)
        raise DataError(
            f"{file}: every box lies within 0 to 1 (the first from {told}): these look like shares "
            "of the sides; pixels are needed: multiply by the picture's width and height"
        )

    def notes(self) -> list[str]:
        """What to tell of boxes that are given as left, top, width, height."""
        corners = self.measured and self.fit == self.measured and 2 * self.beyond > self.measured
        return [LIKE_CORNERS] if corners else []
