"""Time-frequency cells of a sound, as the units of explanations: numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from multigraft.contracts.types import Arrays
from multigraft.contracts.units import Units
from multigraft_speech.whisper.log_mel import HOP, RATE, mel_beginnings

BANDS = 6
LONGEST, SHORTEST = 12, 4
"""The most and the fewest stretches of time."""
STRETCH = 0.1
"""Seconds that one has at least, but for very short sounds."""
QUIET = 0.1
"""The quantile of a frequency's powers that is taken for the sound's background."""
FRAME = 0.025
"""Seconds of a frame of the transform."""


@dataclass(frozen=True)
class Grid:
    """Cells of F frames and B frequencies: ``times`` and ``bands`` are edges among them."""

    times: np.ndarray
    bands: np.ndarray

    def __len__(self) -> int:
        return (len(self.times) - 1) * (len(self.bands) - 1)

    def mask(self, hidden: np.ndarray) -> np.ndarray:
        """bool [U] -> bool [F, B]."""
        coarse = hidden.reshape(len(self.times) - 1, -1)
        return coarse.repeat(np.diff(self.times), 0).repeat(np.diff(self.bands), 1)

    def units(self, seconds: np.ndarray, hertz: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
        """The names and places of all cells; ``seconds`` and ``hertz`` of the edges."""
        across, up = self.times / self.times[-1], self.bands / self.bands[-1]
        names, places = [], []
        for time in range(len(seconds) - 1):
            for band in range(len(hertz) - 1):
                names.append(
                    f"{seconds[time]:.2f}-{seconds[time + 1]:.2f} s, "
                    f"{hertz[band]:.0f}-{hertz[band + 1]:.0f} Hz"
                )
                places.append((across[time], 1 - up[band + 1], across[time + 1], 1 - up[band]))
        return tuple(names), np.array(places)


def sound_units(row: Arrays, rate: int) -> Units:
    """The cells of ``input_values`` [T]; a hidden one sounds as the quietest tenth of its
    frequencies do."""
    transform = Transform(row["input_values"], rate)
    frames, bins = transform.spectra.shape
    edges = _hertz(np.linspace(0, _mel(rate / 2), BANDS + 1))
    bands = np.unique((edges / (rate / 2) * bins).round().astype(int))
    grid = Grid(_times(frames, len(row["input_values"]) / rate), bands)
    seconds = grid.times / frames * len(row["input_values"]) / rate
    names, places = grid.units(seconds, bands / bins * rate / 2)

    def hide(hidden: np.ndarray) -> Arrays:
        return {**row, "input_values": transform.without(grid.mask(hidden))}

    return Units(kind="cells", names=names, places=places, hide=hide, shown=transform.shown)


def spectrogram_units(row: Arrays) -> Units:
    """The same of ``input_features`` [F, mels], where a sound is read as Whisper's spectrogram."""
    features = row["input_features"]
    frames, mels = features.shape
    seconds = frames * HOP / RATE
    bands = np.unique(np.linspace(0, mels, BANDS + 1).round().astype(int))
    grid = Grid(_times(frames, seconds), bands)
    hertz = np.concatenate([mel_beginnings(mels), [RATE / 2]])[bands]
    names, places = grid.units(grid.times / frames * seconds, hertz)
    quiet = np.broadcast_to(np.quantile(features, QUIET, axis=0), features.shape)

    def hide(hidden: np.ndarray) -> Arrays:
        without = np.where(grid.mask(hidden), quiet, features).astype(np.float32)
        return {**row, "input_features": without}

    return Units(kind="cells", names=names, places=places, hide=hide, shown=features.T)


@dataclass(frozen=True, eq=False)
class Transform:
    """Short-time Fourier transform of samples [T] with square roots of Hann windows that half
    overlap, so that the way back adds up to the samples (Griffin & Lim 1984)."""

    samples: np.ndarray
    rate: int

    @property
    def size(self) -> int:
        """Samples of a frame, an even number."""
        return 2 * max(1, round(FRAME * self.rate / 2))

    @cached_property
    def window(self) -> np.ndarray:
        """[size]: its squares, half a frame apart, add up to 1."""
        return np.sin(np.pi * np.arange(self.size) / self.size)

    @cached_property
    def spectra(self) -> np.ndarray:
        """complex [F, bins]."""
        half = self.size // 2
        behind = half + (-len(self.samples)) % half
        padded = np.pad(self.samples.astype(np.float64), (half, behind))
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.size)[::half]
        return np.fft.rfft(frames * self.window)

    @cached_property
    def background(self) -> np.ndarray:
        """complex [F, bins]: noise as loud as the quietest tenth of each frequency, the same for
        the same sound."""
        levels = np.quantile(np.abs(self.spectra), QUIET, axis=0)
        turns = np.random.default_rng(0).uniform(0, 2 * np.pi, self.spectra.shape)
        return levels * np.exp(1j * turns)

    def without(self, hidden: np.ndarray) -> np.ndarray:
        """bool [F, bins] -> float32 [T], with the background in the place of what is hidden."""
        if not hidden.any():
            return self.samples
        change = np.where(hidden, self.background - self.spectra, 0)
        return (self.samples + self._samples(change)).astype(np.float32)

    @property
    def shown(self) -> np.ndarray:
        """Decibels [bins, F], no more than 80 below the loudest."""
        levels = 20 * np.log10(np.maximum(np.abs(self.spectra), 1e-10)).T
        found: np.ndarray = np.maximum(levels, levels.max() - 80)
        return found

    def _samples(self, spectra: np.ndarray) -> np.ndarray:
        half = self.size // 2
        frames = np.fft.irfft(spectra, self.size) * self.window
        padded = np.zeros((len(frames) + 1) * half)
        padded[: len(frames) * half] += frames[:, :half].ravel()
        padded[half:] += frames[:, half:].ravel()
        return padded[half : half + len(self.samples)]


def _times(frames: int, seconds: float) -> np.ndarray:
    wanted = min(max(round(seconds / STRETCH), SHORTEST), LONGEST, frames)
    return np.linspace(0, frames, wanted + 1).round().astype(int)


def _mel(hertz: float) -> float:
    """The mel scale of O'Shaughnessy (1987)."""
    return float(2595 * np.log10(1 + hertz / 700))


def _hertz(mels: Sequence[float] | np.ndarray) -> np.ndarray:
    return 700 * (10 ** (np.asarray(mels) / 2595) - 1)
