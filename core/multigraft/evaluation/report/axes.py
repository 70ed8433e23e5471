"""Axes of charts: where ticks stand, and how a value becomes a place."""

from __future__ import annotations

import math
from dataclasses import dataclass

Point = tuple[float, float]

WIDTH, HEIGHT = 440, 280
LEFT, RIGHT, TOP, BOTTOM = 52, 20, 14, 42
LEGEND = 19
"""Height of a line of the legend."""


LARGEST = 1e100
"""Beyond this a number is not drawn: the arithmetic of axes would overflow."""


@dataclass(frozen=True)
class Axis:
    """A stretch of numbers laid onto a stretch of pixels."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    log: bool = False

    def place(self, value: float) -> float:
        """Map a value to its place."""
        low, high, at = (self._scaled(each) for each in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.log else value


def value_axis(low: float, high: float, top: float = TOP, *, log: bool = False) -> Axis:
    """The upright axis, up to ``top``; unless ``log``, it begins and ends at round numbers."""
    low, high = _apart(low, high, log=log)
    if log:
        ticks = tuple(tick for tick in _log_ticks(low, high) if low <= tick <= high)
        return Axis(low, high, HEIGHT - BOTTOM, top, ticks, log)
    step = _nice_step((high - low) / 5)
    low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return Axis(low, high, HEIGHT - BOTTOM, top, nice_ticks(low, high, step))


def step_axis(low: float, high: float) -> Axis:
    """The level axis: from 0, unless the curves begin late, with ticks at least a step apart."""
    low, high = (
        (low - 0.5, low + 0.5) if low == high else (0.0 if 0 < low < high / 2 else low, high)
    )
    low, high = _apart(low, high, log=False)
    step = _nice_step((high - low) / 5)
    step = max(step, 1.0) if high - low >= 1 else step
    return Axis(low, high, LEFT, WIDTH - RIGHT, nice_ticks(low, high, step))


def nice_ticks(low: float, high: float, step: float | None = None) -> tuple[float, ...]:
    """About five round numbers (1, 2, 5 times a power of ten) from ``low`` to ``high``.

    >>> nice_ticks(0, 1)
    (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """
    step = step or _nice_step((high - low) / 5)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, 2 - math.floor(math.log10(step)))
    return tuple(round(count * step, digits) for count in range(first, last + 1))


def tick_label(value: float) -> str:
    """A tick's number, short.

    >>> [tick_label(value) for value in (0.0, 0.25, 40000.0, 2e-05, 1500000.0)]
    ['0', '0.25', '40k', '2e-5', '1.5M']
    """
    if value and abs(value) < 1e-3:
        mantissa, _, exponent = f"{value:.3e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    if abs(value) >= 1e9:
        return f"{value:.3g}"
    for unit, name in ((1e6, "M"), (1e4, "k")):
        if abs(value) >= unit:
            return f"{value / (1e6 if name == 'M' else 1e3):g}{name}"
    return f"{value:.6g}"


def _apart(low: float, high: float, *, log: bool) -> tuple[float, float]:
    """The same two numbers, or two around them where an axis could not tell them apart."""
    if log:
        return (low, high) if high / low > 1.01 else (low / 2, high * 2)
    if high - low > 1e-9 * max(abs(low), abs(high), 1e-90):
        return low, high
    room = abs(low) * 0.1 if abs(low) > 1e-90 else 0.5
    return low - room, high + room


def _nice_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(
        (times * power for times in (1, 2, 5) if rough <= times * power * (1 + 1e-9)), 10 * power
    )


def _log_ticks(low: float, high: float) -> tuple[float, ...]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    times = (1, 2, 5) if len(decades) <= 4 else (1,)
    every = max(1, len(decades) // 6)
    return tuple(time * 10.0**decade for decade in decades[::every] for time in times)
