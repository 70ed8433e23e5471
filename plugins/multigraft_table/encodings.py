"""Encodings of columns: what was learned of each in training, kept in the reader's spec.

A column becomes numbers, each with a flag where it is missing, and whole numbers that stand for
categories: `MISSING`, `UNSEEN`, or 2 and more.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from statistics import NormalDist
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from multigraft.errors import RowError
from multigraft_table.cells import category_in, date_in, days, kind_of_cell, number_in

MISSING, UNSEEN, KNOWN = 0, 1, 2
"""Numbers of categories: none there, one that is not known, and the first that is."""
FAR = 1e6
"""Deviations from the mean beyond which a standardised number is not told apart."""
KNOTS = 256
"""The most points at which a quantile transform is kept."""
Scaling = Literal["quantile", "standard"]
Name = Annotated[str, Field(max_length=100_000)]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Scale(_Spec):
    """Scaling of a number to mean 0 and deviation 1.

    Standardised; or, where there are ``knots``, by normal scores (a quantile transform): linear
    between these values of the training rows and constant beyond them.
    """

    mean: float
    deviation: float = Field(gt=0)
    knots: list[float] = Field(default_factory=list, max_length=KNOTS)
    scores: list[float] = Field(default_factory=list, max_length=KNOTS)

    @model_validator(mode="after")
    def _fits(self) -> Scale:
        if len(self.knots) != len(self.scores):
            raise ValueError("a knot has a score")
        if any(left >= right for left, right in pairwise(self.knots)):
            raise ValueError("knots rise")
        return self

    def __call__(self, value: float) -> float:
        """The scaled number.

        >>> Scale(mean=2, deviation=2)(4)
        1.0
        >>> Scale(mean=0, deviation=1, knots=[0, 2], scores=[-1, 1])(1)
        0.0
        """
        if not self.knots:
            return min(max(value / self.deviation - self.mean / self.deviation, -FAR), FAR)
        place = bisect_right(self.knots, value)
        if place in (0, len(self.knots)):
            return self.scores[0 if place == 0 else -1]
        left, right = self.knots[place - 1], self.knots[place]
        share = (value / 2 - left / 2) / (right / 2 - left / 2)  # halves: 1e308 is a number too
        return self.scores[place - 1] + share * (self.scores[place] - self.scores[place - 1])


class NumberColumn(_Spec):
    """A column of numbers."""

    name: Name
    type: Literal["number"] = "number"
    scale: Scale

    def encode(self, value: Any) -> tuple[list[float], list[int]]:
        """One number, no category. Raises RowError for what is no finite number."""
        number = number_in(value)
        if number is None or not math.isfinite(number):
            raise RowError(f"{self.name!r} holds {kind_of_cell(value)}; a number is needed")
        return [self.scale(number)], []

    @property
    def scales(self) -> list[Scale]:
        """Of its numbers."""
        return [self.scale]

    @property
    def sizes(self) -> list[int]:
        """How many numbers each of its categories may have."""
        return []


class CategoryColumn(_Spec):
    """A column of categories; those of too few rows (``rare``) are read as unseen ones are."""

    name: Name
    type: Literal["category"] = "category"
    categories: list[Name] = Field(max_length=2**20)
    rare: list[Name] = Field(default_factory=list, max_length=2**20)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.categories, KNOWN)}

    @cached_property
    def _rare(self) -> frozenset[str]:
        return frozenset(self.rare)

    def encode(self, value: Any) -> tuple[list[float], list[int]]:
        """No number, one category. Raises RowError for what is no single value."""
        return [], [self._numbers.get(self._category(value), UNSEEN)]

    def is_new(self, value: Any) -> bool:
        """Whether no training row had this category."""
        category = self._category(value)
        return category not in self._numbers and category not in self._rare

    def _category(self, value: Any) -> str:
        category = category_in(value)
        if category is None:
            raise RowError(f"{self.name!r} holds {kind_of_cell(value)}; a category is needed")
        return category

    @property
    def scales(self) -> list[Scale]:
        """It has no numbers."""
        return []

    @property
    def sizes(self) -> list[int]:
        """Its categories, and those that are missing and unseen."""
        return [KNOWN + len(self.categories)]


class DateColumn(_Spec):
    """A column of dates: the day as a number, month and weekday as categories, and the hour where
    the training rows had times."""

    name: Name
    type: Literal["date"] = "date"
    scale: Scale
    hours: bool = False

    def encode(self, value: Any) -> tuple[list[float], list[int]]:
        """One number, two or three categories. Raises RowError for what is no date."""
        moment = date_in(value)
        if moment is None:
            raise RowError(
                f"{self.name!r} holds {kind_of_cell(value)}; a date is needed, as 2024-02-29 or "
                "2024-02-29T12:30"
            )
        parts = [moment.month - 1, moment.weekday(), *([moment.hour] if self.hours else [])]
        return [self.scale(days(moment))], [KNOWN + part for part in parts]

    @property
    def scales(self) -> list[Scale]:
        """Of its day."""
        return [self.scale]

    @property
    def sizes(self) -> list[int]:
        """Months, weekdays, hours."""
        return [KNOWN + count for count in ([12, 7, 24] if self.hours else [12, 7])]


Column = Annotated[NumberColumn | CategoryColumn | DateColumn, Field(discriminator="type")]


def fitted_scale(values: Sequence[float], scaling: Scaling) -> Scale:
    """The scale of numbers, of which two or more differ.

    Normal scores are the normal quantiles of mean ranks, as of van der Waerden, divided by their
    deviation, so that equal numbers have equal scores.
    """
    found = np.asarray(values, np.float64)
    largest = float(np.abs(found).max()) or 1.0  # squares of what is near it would overflow
    mean, deviation = (largest * float(each) for each in _moments(found / largest))
    if scaling == "standard" or deviation == 0:
        return Scale(mean=mean, deviation=deviation or 1.0)
    knots, counts = np.unique(found, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    scores = np.array([NormalDist().inv_cdf(rank / (len(found) + 1)) for rank in ranks])
    spread = math.sqrt(float((counts * scores**2).sum() / len(found)))
    kept = np.unique(np.linspace(0, len(knots) - 1, min(KNOTS, len(knots))).round().astype(int))
    return Scale(
        mean=mean,
        deviation=deviation,
        knots=knots[kept].tolist(),
        scores=(scores[kept] / (spread or 1.0)).tolist(),
    )


def _moments(values: np.ndarray) -> tuple[float, float]:
    return values.mean(), values.std()


def fitted_number(name: str, cells: Sequence[Any], scaling: Scaling) -> NumberColumn:
    """The encoding of a column of numbers; what is none is left to the row that holds it."""
    numbers = [number for cell in cells if (number := number_in(cell)) is not None]
    finite = [number for number in numbers if math.isfinite(number)]
    return NumberColumn(name=name, scale=fitted_scale(finite or [0.0], scaling))


def fitted_date(name: str, cells: Sequence[Any], scaling: Scaling) -> DateColumn:
    """The encoding of a column of dates."""
    moments: list[datetime] = [moment for cell in cells if (moment := date_in(cell)) is not None]
    hours = any((moment.hour, moment.minute, moment.second) != (0, 0, 0) for moment in moments)
    scale = fitted_scale([days(moment) for moment in moments], scaling)
    return DateColumn(name=name, scale=scale, hours=hours)


def fitted_category(name: str, cells: Sequence[Any], *, least: int, most: int) -> CategoryColumn:
    """The encoding of a column of categories: the ``most`` frequent of at ``least`` so many rows,
    by their names; the others are rare."""
    counts = Counter(text for cell in cells if (text := category_in(cell)) is not None)
    frequent = [text for text, count in counts.most_common(most) if count >= least]
    if not frequent:  # every category has few rows
        frequent = [text for text, _ in counts.most_common(most)]
    rare = sorted(counts.keys() - set(frequent))
    return CategoryColumn(name=name, categories=sorted(frequent), rare=rare)
