"""Protocols of readers: what turns a raw value into arrays, and changes read rows at random."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from multigraft.contracts.frames import Piece
from multigraft.contracts.mixing import Mixture
from multigraft.contracts.padding import Fills
from multigraft.contracts.types import Arrays, Spec


class Reader(Protocol):
    """Turns one raw value into named arrays, without torch. Training and the bundle call the same
    one.

    A reader must be safe to call from several threads and give equal arrays for equal input.
    """

    @property
    def fills(self) -> Fills:
        """The arrays that vary from row to row, with the value that pads a shorter one.

        A plain number where the first axis varies, as ``{"input_ids": 0}``; a `Fill` where another
        or several do, as ``{"pixels": Fill(0, {0: "height", 1: "width"})}``.
        """
        ...

    def read(self, raw: Any) -> Arrays:
        """Read one raw value. Raises RowError with what is wrong, never with its place."""
        ...

    def length(self, row: Arrays) -> int:
        """How long a read row is, in the unit that costs time (tokens, pixels); 1 where all are
        equal."""
        ...

    def spec(self) -> Spec:
        """All that is needed to build this reader again, as JSON."""
        ...


@runtime_checkable
class WindowReader(Protocol):
    """A reader that cuts what is too long for one row: optional, beside `Reader`.

    A row may hold ``rest``, how much of its value lies behind it: where that is 0, nobody asks for
    its windows.
    """

    def windows(self, raw: Any) -> Sequence[Arrays]:
        """Read all of one raw value as rows that overlap; as one row where `read` leaves out
        nothing."""
        ...


@runtime_checkable
class MirrorReader(Protocol):
    """A reader of values that have a left and a right: optional, beside `Reader`."""

    def mirrored(self, row: Arrays) -> Arrays:
        """A row that was read with left and right exchanged, and its ``frame`` in step."""
        ...


@dataclass(frozen=True)
class Excess:
    """How much a raw value has that is longer than one row."""

    has: float
    takes: float
    """How much a row holds."""
    unit: str
    """What is counted, as ``tokens``."""
    option: str
    """The reader's option that says how much, as ``max_length``."""

    def __str__(self) -> str:
        """As in: has 613 tokens, and 512 are read."""
        return f"has {self.has:,.10g} {self.unit}, and {self.takes:,.10g} are read"


@runtime_checkable
class CountingReader(Protocol):
    """A reader that tells how much longer a value is than its row: optional, beside `Reader`.

    Without it a value that a row holds the beginning of is refused by nobody who asks a bundle.
    """

    def excess(self, raw: Any, row: Arrays) -> Excess | None:
        """What a raw value has, of which `read` gave ``row``; None where that holds all of it.

        Raises RowError for what `read` would refuse.
        """
        ...


LOUDNESS_STEP = 0.01
"""Seconds of one moment whose loudness a stretch tells."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """A row of a long value, from a second of it on."""

    row: Arrays
    seconds: float
    """How much of the value it holds."""
    level: float
    """The loudest sample, in decibels below full scale; -1000 for silence."""
    loudness: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """Of each moment (`LOUDNESS_STEP`) that is the sound's, in decibels; times of words are drawn
    to pauses by it. Empty: not told."""


class Stretches(Protocol):
    """A long value that is open, of which little is in memory."""

    def at(self, start: float) -> Stretch | None:
        """The row that begins at a second; None behind the end.

        Asked for ever later seconds, at most a row behind the last one's start.
        """
        ...


@runtime_checkable
class LongReader(Protocol):
    """A reader that opens a long value to read it a row at a time: optional, beside `Reader`."""

    def stretches(self, raw: Any) -> AbstractContextManager[Stretches]:
        """Open a raw value. Raises RowError for what `read` would refuse."""
        ...


@runtime_checkable
class TellingReader(Protocol):
    """A reader with something to say about how it reads: optional, beside `Reader`."""

    def told(self) -> Sequence[str]:
        """What a person should know of how every value is read, once a run: types that were
        guessed, say."""
        ...

    def oddities(self, raw: Any) -> Sequence[str]:
        """What a person should know of a value that can be read, as a category that no training
        row has; values of which the same is said are counted.

        Raises RowError for what `read` would refuse.
        """
        ...


@runtime_checkable
class MeasuredReader(Protocol):
    """A reader that tells what a value takes before it is read: optional, beside `Reader`.

    A server bounds with it what is decoded at once, so a small file of many pixels counts as its
    pixels.
    """

    def memory(self, raw: Any) -> int:
        """The most bytes that reading one raw value takes at a time, as its header tells; decodes
        nothing.

        Raises RowError for what `read` would refuse.
        """
        ...


@runtime_checkable
class MeasuredWindowReader(Protocol):
    """The same of a reader that cuts: optional, beside `WindowReader`."""

    def windows_memory(self, raw: Any) -> int:
        """The most bytes that reading all windows of one raw value takes, those kept counted.

        Raises RowError for what `windows` would refuse.
        """
        ...


class PromptReader(Reader, Protocol):
    """A reader whose model writes tokens; it turns them back into text."""

    def prompt(self, raw: Any) -> np.ndarray:
        """The tokens of a text that is to be continued, int64 [T], without what closes a text.

        Empty for an empty text. A prompt is never cut. Raises RowError.
        """
        ...

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones left out; bytes that are no whole character yet give
        U+FFFD."""
        ...


@runtime_checkable
class WritingReader(Protocol):
    """A reader that has the tokens of what its model writes: optional, beside `PromptReader`.

    Speech recognition by a decoder asks for it.
    """

    def written(self, text: str) -> Sequence[int]:
        """The tokens of a text that is to be written, and the end. Raises RowError."""
        ...


class Augment(Protocol):
    """Changes one read row at random, in training only. All chance comes from ``rng``.

    One with ``frames = True`` keeps a row's ``frame`` in step with what it does to the plane, so
    that targets can be carried along (`Objective.moves`); others are refused by such tasks.
    """

    def __call__(self, row: Arrays, rng: np.random.Generator) -> Arrays: ...


@runtime_checkable
class JoiningAugment(Augment, Protocol):
    """One that makes a row of several, as a mosaic of pictures: optional, beside `Augment`.

    It needs `frames`, and a task all of whose targets are masks, boxes or go with boxes.
    """

    def others(self, rng: np.random.Generator) -> int:
        """How many other rows are joined to a row this time; mostly 0."""
        ...

    def join(
        self, rows: Sequence[Arrays], rng: np.random.Generator
    ) -> tuple[Arrays, Sequence[Piece]]:
        """One row of several that were changed before, and where the plane of each lies in it."""
        ...


@runtime_checkable
class MixingAugment(Augment, Protocol):
    """One that mixes the rows of a training batch, as MixUp does: optional, beside `Augment`.

    For tasks with `Objective.shares_targets`.
    """

    def mix(self, batch: Arrays, rng: np.random.Generator) -> Mixture:
        """Mix a collated batch, before `Objective.prepare`."""
        ...
