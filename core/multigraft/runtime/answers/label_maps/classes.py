"""Classes of pixels: what a mask's values, colours or objects mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from multigraft.contracts.types import Spec
from multigraft.errors import BundleError

IGNORE = 255
"""The class of a pixel that is none, in every label map here."""
MOST = 254
"""Classes that a label map of bytes tells apart, beside `IGNORE`."""


@dataclass(frozen=True)
class Classes:
    """Names of classes, and where masks are pictures, how each stands in them."""

    labels: tuple[str, ...]
    values: tuple[int, ...]
    """Of each class: a pixel's value, or its colour as 0xRRGGBB."""
    colors: bool
    """Whether values are colours."""
    ignored: int | None
    """The value of pixels that are neither learned nor judged."""
    background: str | None
    """The class of pixels that belong to no object; None: they are ignored."""

    @cached_property
    def table(self) -> np.ndarray:
        """[largest value + 2] of classes where values are no colours; `MOST` + 1 is unknown."""
        size = max([*self.values, self.ignored or 0]) + 2
        found = np.full(size, -1, dtype=np.int16)
        found[list(self.values)] = np.arange(len(self.values))
        if self.ignored is not None:
            found[self.ignored] = IGNORE
        return found

    def spec(self) -> Spec:
        """As JSON."""
        return {
            "labels": list(self.labels),
            "values": list(self.values),
            "colors": self.colors,
            "ignored": self.ignored,
            "background": self.background,
        }


def classes_of(targets: Mapping[str, Any]) -> Classes:
    """The classes in a task's targets, which anybody may have written. Raises BundleError."""
    labels, values = targets.get("labels"), targets.get("values", [])
    ignored, background = targets.get("ignored"), targets.get("background")
    fit = (
        isinstance(labels, list)
        and 0 < len(labels) <= MOST
        and all(isinstance(each, str) for each in labels)
        and isinstance(values, list)
        and len(values) in (0, len(labels))
        and all(type(each) is int and 0 <= each < 2**24 for each in values)
        and (ignored is None or (type(ignored) is int and 0 <= ignored < 2**24))
        and (background is None or background in labels)
    )
    if not fit:
        raise BundleError("the classes of its pixels cannot be read; export the run again")
    return Classes(
        tuple(labels or ()), tuple(values or ()), bool(targets.get("colors")), ignored, background
    )
