"""Number formatting: with as many digits as a number deserves."""

from __future__ import annotations

import math

from multigraft.contracts.report import Cost, Measure

NOT_A_NUMBER = "n/a"
ROUNDING = 1e-6
"""An interval so narrow, as a share of the value, is none: it comes of rounding."""


def figure(measure: Measure) -> str:
    """Write a value; its interval, where there is one, decides the digits.

    >>> figure(Measure(0.87123, 0.8512, 0.8904)), figure(Measure(0.87123))
    ('0.871', '0.8712')
    """
    return _written(measure.value, _decimals(measure))


def interval(measure: Measure) -> str:
    """Write an interval in words; empty where there is none.

    >>> interval(Measure(0.87123, 0.8512, 0.8904))
    '0.851 to 0.890'
    """
    if measure.low is None or measure.high is None:
        return ""
    decimals = _decimals(measure)
    return f"{_written(measure.low, decimals)} to {_written(measure.high, decimals)}"


def told_beside(value: float, limit: float) -> str:
    """Write a number with three digits, and more where they would say that it is the limit.

    >>> told_beside(12.345, 20), told_beside(19.996, 20), told_beside(12345.6, 3600)
    ('12.3', '19.996', '12,300')
    """
    written = (float(f"{value:.{digits}g}") for digits in range(3, 16))
    return f"{next((found for found in written if found != limit), value):,.15g}"


def cost_line(cost: Cost) -> str:
    """Write what a verb took, in one line.

    >>> cost_line(Cost(75.2, 812.4, 93.12))
    '1 min 15 s, 812 MB peak, 93.1 rows/s'
    >>> cost_line(Cost(75.2, 812.4, 93.12, waited=0.004, padding=0.031))
    '1 min 15 s, 812 MB peak, 93.1 rows/s, 0.4% waiting for data, 3.1% padding'
    """
    parts = [duration(cost.seconds), memory(cost.peak_memory_mb)]
    if cost.rows_per_second is not None:
        parts.append(speed(cost.rows_per_second))
    if cost.waited is not None:
        parts.append(f"{cost.waited:.1%} waiting for data")
    if cost.padding is not None:
        parts.append(f"{cost.padding:.1%} padding")
    if cost.saving is not None:
        parts.append(f"{cost.saving:.1%} writing checkpoints")
    return ", ".join(parts)


def speed(rows_per_second: float) -> str:
    """Write rows a second.

    >>> speed(2412.3), speed(93.12)
    ('2,412 rows/s', '93.1 rows/s')
    """
    return f"{quantity(rows_per_second)} rows/s"


def quantity(value: float) -> str:
    """Write three digits, or all of a larger number, and never a power of ten for thousands.

    >>> quantity(8337.35), quantity(93.12), quantity(0.01234)
    ('8,337', '93.1', '0.0123')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """Write seconds in the units a person would use.

    >>> duration(0.034), duration(4.21), duration(75.2), duration(7384)
    ('34 ms', '4.2 s', '1 min 15 s', '2 h 3 min')
    """
    if not math.isfinite(seconds) or seconds < 0:
        return NOT_A_NUMBER
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def percent(share: str | None) -> str:
    """Write a share in a report's facts as a percentage; empty where it is none.

    >>> percent("0.95"), percent(None)
    ('95 %', '')
    """
    try:
        return f"{float(share) * 100:g} %" if share else ""
    except ValueError:
        return ""


def memory(megabytes: float) -> str:
    """Write peak memory in MB or GB."""
    return f"{megabytes / 1000:.1f} GB peak" if megabytes >= 1000 else f"{megabytes:.0f} MB peak"


def _decimals(measure: Measure) -> int | None:
    """Decimals that leave two digits of the interval's half width; None: four digits."""
    if measure.low is None or measure.high is None:
        return None
    half = (measure.high - measure.low) / 2
    if not math.isfinite(half) or half <= ROUNDING * abs(measure.value):
        return None
    return min(max(0, 1 - math.floor(math.log10(half))), 8)


def _written(value: float, decimals: int | None) -> str:
    if not math.isfinite(value):
        return NOT_A_NUMBER if math.isnan(value) else f"{value:+}"
    if decimals is None or abs(value) >= 1e7:
        return f"{value:.4g}"
    return f"{value:.{decimals}f}"
