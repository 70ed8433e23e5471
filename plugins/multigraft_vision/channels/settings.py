"""What a reader of channels is told or has learned: how many, how deep, and their mean and
spread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from multigraft import RowError
from multigraft.contracts.types import Spec
from multigraft.errors import DataError, RecipeError
from multigraft_vision.channels.arrays import Depth, check, depth_of, open_channels, said
from multigraft_vision.channels.header import opened
from multigraft_vision.channels.planes import Planes

KIND = "image-channels"
"""Of the spec of a reader of channels."""
MOST_CHANNELS = 512
FULL = {8: 255.0, 16: 65535.0}
MOST = 1000
"""Training pictures, evenly taken, that mean and spread are learned from."""
PIXELS = 2**20
"""Of each, about so many, evenly taken."""
COPIES, FLOATS = 3, 12
"""How often a sample is in memory while it is decoded, and the bytes of its shares of the range."""
FLAT = 1e-6
"""The least deviation that is divided by: of a channel that is the same everywhere."""


@dataclass(frozen=True)
class Channels:
    """How values are read."""

    count: int
    depth: Depth
    """8: ``image`` is uint8; else float32, shares of ``range``."""
    range: tuple[float, float]
    """What is 0 and 1: of 8 and 16 bits all that they can hold, of floats the least and the
    greatest of the training pictures."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Of each channel, as shares of the range."""

    def planes(self, raw: Any, max_pixels: int) -> Planes:
        """Open a picture. Raises RowError, also for one of another depth."""
        values = open_channels(raw, channels=self.count, max_pixels=max_pixels)
        found = depth_of(values)
        if found != self.depth:
            raise RowError(
                f"holds {said(found)}, and reader.depth is {said(self.depth)}; convert it, or give "
                "all pictures at one depth"
            )
        if found != 8:
            low, high = self.range
            with np.errstate(over="ignore", invalid="ignore"):
                values = (values.astype(np.float32) - np.float32(low)) / np.float32(high - low)
            if not np.isfinite(values).all():
                raise RowError(f"holds values that are far beyond the range of {low:g} to {high:g}")
        return Planes.of(values)

    def measured(self, raw: Any, max_pixels: int) -> tuple[tuple[int, int], int]:
        """Width and height before a picture is turned upright, and the most bytes that `planes`
        takes. Raises RowError."""
        header = opened(raw, channels=self.count, max_pixels=max_pixels)
        check(header, channels=self.count, max_pixels=max_pixels)
        each = COPIES * header.itemsize + (0 if self.depth == 8 else FLOATS)
        size = header.width, header.height
        return size, len(header.content) + header.width * header.height * self.count * each

    def fill(self) -> tuple[float, ...]:
        """The mean colour, as values of ``image``."""
        return tuple(round(255 * each) for each in self.mean) if self.depth == 8 else self.mean

    def spec(self) -> Spec:
        """All fields, under the names that a reader's spec has."""
        return {
            "channels": self.count,
            "depth": self.depth,
            "range": list(self.range),
            "mean": list(self.mean),
            "std": list(self.std),
        }


def learn(raws: Iterable[Any], spec: Spec) -> Spec:
    """Complete a reader's spec from the training pictures: depth, range, mean and spread, of what
    it does not say. Raises DataError where no picture can be read, or their depths differ."""
    if spec["kind"] != KIND or all(key in spec for key in ("depth", "range", "mean", "std")):
        return spec
    found = _looked_at(raws, spec)
    depth, limits = found["depth"], found["range"]
    if depth == 8 and "mean" in spec:  # the weights' own, which are of 8 bits
        return {**spec, "depth": depth, "range": limits}
    low, high = limits
    mean = (found["mean"] - low) / (high - low)
    std = np.maximum(found["std"] / (high - low), FLAT)
    return {**spec, "depth": depth, "range": limits, "mean": mean.tolist(), "std": std.tolist()}


def _looked_at(raws: Iterable[Any], spec: Spec) -> Mapping[str, Any]:
    """Depth, range, and mean and deviation over all pixels, each picture counting the same."""
    sums, depths, problem = [], set(), None
    for raw in _some(list(raws)):
        try:
            values = open_channels(raw, channels=spec["channels"], max_pixels=spec["max_pixels"])
        except RowError as error:  # told with its row, when the rows are read
            problem = problem or error
            continue
        if spec.get("depth", depth_of(values)) == depth_of(values):
            depths.add(depth_of(values))
            flat = values.reshape(-1, values.shape[2])
            some = flat[:: max(1, len(flat) // PIXELS)].astype(np.float64)
            sums.append((some.mean(0), np.square(some).mean(0), flat.min(), flat.max()))
    _check_depths(depths, spec, problem)
    mean, squares = (np.mean([each[at] for each in sums], axis=0) for at in (0, 1))
    depth = depths.pop()
    low, high = float(min(each[2] for each in sums)), float(max(each[3] for each in sums))
    limits = [0.0, FULL[depth]] if depth in FULL else [low, high if high > low else low + 1]
    return {
        "depth": depth,
        "range": limits,
        "mean": mean,
        "std": np.sqrt(np.maximum(squares - mean**2, 0)),
    }


def _some(raws: list[Any]) -> list[Any]:
    count = min(MOST, len(raws))
    return [raws[number * len(raws) // count] for number in range(count)]


def _check_depths(depths: set[Depth], spec: Spec, problem: RowError | None) -> None:
    if not depths:
        wanted = f"{spec['channels']} channels" + (
            f" of {said(spec['depth'])}" if "depth" in spec else ""
        )
        raise DataError(
            f"no training picture can be read with {wanted}"
            + (f"; the first one {problem}" if problem else "")
        )
    if len(depths) > 1:
        raise DataError(
            f"the training pictures hold {' and '.join(sorted(map(said, depths)))}, which have no "
            "common range: convert some, or set reader.depth, by which the others are bad rows"
        )


def asked(
    options: Mapping[str, Any], weights: Mapping[str, Any], mean: Any, std: Any
) -> dict[str, Any]:
    """The entries of a spec that the options ask for, from what the weights were trained with (a
    saved reader's entries, or none) and their mean and spread as shares of 8 bits. Raises
    RecipeError."""
    count = options.get("channels") or weights.get("channels")
    if count is None:
        if options.get("depth") is not None:
            raise RecipeError(["reader.depth: needs reader.channels, the number of channels"])
        return {}
    saved = weights.get("depth")
    depth = options.get("depth") or saved
    if saved is not None and (count, depth) == (weights["channels"], saved):
        return dict(weights)
    told = {"channels": count} if depth is None else {"channels": count, "depth": depth}
    if saved is None and count == len(mean) and depth in (None, 8):
        return {**told, "mean": list(mean), "std": list(std)}
    return told
