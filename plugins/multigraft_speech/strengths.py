"""How much augmentation changes a sound."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Strength:
    """Strength of each change, which is drawn uniformly up to it."""

    speed: float
    """The largest share by which a sound gets faster or slower (and higher or lower)."""
    shift: float
    """The largest share of the sound that is laid before or behind it as silence."""
    gain: float
    """Decibels, up and down."""
    noise: tuple[float, float]
    """Signal-to-noise ratio of added white noise, from and to, in decibels."""
    room: float
    """The longest reverberation time: seconds until an echo is 60 decibels weaker; 0: none."""


STRENGTHS = {
    "light": Strength(speed=0.0, shift=0.05, gain=6, noise=(25, 50), room=0.0),
    "strong": Strength(speed=0.12, shift=0.1, gain=12, noise=(5, 40), room=0.4),
}
