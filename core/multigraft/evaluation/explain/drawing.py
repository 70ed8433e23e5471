"""What the page draws of a value: its words, its picture or spectrogram, its fields, with the
weights of each."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from multigraft.contracts.units import Units

LARGEST = 448
"""Pixels of the longer side of a picture on the page."""
FAINT = 0.02
"""A weight below this share of the largest is not coloured."""


@dataclass(frozen=True)
class Mark:
    """A unit as the page shows it."""

    text: str
    weight: float
    share: float
    """Of the largest weight, from 0 to 1."""
    value: str = ""
    box: tuple[float, ...] = ()
    """Left, top, width and height as shares."""

    @property
    def side(self) -> str:
        """Whether it raises the explained number: a class of the style sheet."""
        return "plain" if self.share < FAINT else "for" if self.weight > 0 else "against"

    @property
    def said(self) -> str:
        """In words."""
        return f"{self.text}: {self.weight:+.4f}"


@dataclass(frozen=True)
class Drawing:
    """One branch's units and weights, ready for the page."""

    kind: str
    branch: str
    marks: tuple[Mark, ...]
    texts: tuple[tuple[Mark | str, ...], ...] = ()
    """Of words: each text in pieces, words as marks."""
    picture: str = ""
    """Of patches and cells: the address of the picture below them."""


def drawing_of(branch: str, units: Units, weights: np.ndarray, largest: float) -> Drawing:
    """Draw the units of a branch; ``largest`` is the largest weight of all branches."""
    shares = np.abs(weights) / (largest or 1.0)
    values = units.shown if units.kind == "fields" and units.shown else [""] * len(units)
    boxes = [_box(place) if units.kind in ("patches", "cells") else () for place in units.places]
    marks = tuple(
        Mark(name, float(weight), float(share), value, box)
        for name, weight, share, value, box in zip(
            units.names, weights, shares, values, boxes, strict=True
        )
    )
    if units.kind == "words":
        texts = tuple(tuple(each) for each in _texts(units, marks))
        return Drawing(units.kind, branch, marks, texts=texts)
    if units.kind == "fields":
        ordered = sorted(marks, key=lambda mark: -mark.share)
        return Drawing(units.kind, branch, tuple(ordered))
    return Drawing(units.kind, branch, marks, picture=_picture(units.shown))


def _box(place: np.ndarray) -> tuple[float, ...]:
    left, top, right, bottom = place.tolist()
    return left, top, right - left, bottom - top


def _texts(units: Units, marks: tuple[Mark, ...]) -> Iterator[list[Mark | str]]:
    """Each text in pieces: what lies between words as it is."""
    for number, text in enumerate(units.shown):
        pieces: list[Mark | str] = []
        end = 0
        for (of, first, after), mark in zip(units.places.tolist(), marks, strict=True):
            if of == number and first >= end:
                pieces += [text[end:first], mark]
                end = after
        yield [*pieces, text[end:]]


def _picture(shown: np.ndarray) -> str:
    """The address of a picture, uint8 [H, W, 3], or of a spectrogram [bands, frames]."""
    pixels = _spectrogram(shown) if shown.ndim == 2 else shown
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((LARGEST, LARGEST))
    with io.BytesIO() as file:
        if shown.ndim == 2:
            picture.save(file, "PNG", optimize=True)
        else:
            picture.save(file, "JPEG", quality=85)
        content = base64.b64encode(file.getvalue()).decode()
    return f"data:image/{'png' if shown.ndim == 2 else 'jpeg'};base64,{content}"


def _spectrogram(levels: np.ndarray) -> np.ndarray:
    """Low frequencies below, loud places dark: uint8 [bands, frames]."""
    low, high = float(levels.min()), float(levels.max())
    shares = (levels - low) / ((high - low) or 1.0)
    found: np.ndarray = (255 * (1 - shares[::-1])).round().astype(np.uint8)
    return found
