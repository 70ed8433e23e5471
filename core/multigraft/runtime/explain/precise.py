"""The graph that explains: in the place of an int8 one the bundle's fp32, opened when asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multigraft.contracts.types import Arrays
from multigraft.runtime.explain.subject import Compute

if TYPE_CHECKING:
    from multigraft.runtime.predictor import Predictor

NOISY, PRECISE = "int8", "fp32"


class Precise:
    """A bundle in fp32, opened once, by whoever asks first. Thread-safe."""

    def __init__(self, open_it: Callable[[], Predictor], size: int) -> None:
        self.size = size
        """Bytes of its files."""
        self._open = open_it
        self._lock = threading.Lock()
        self._found: Predictor | None = None

    def predictor(self) -> Predictor:
        """The bundle in fp32. Raises BundleError where it was changed since."""
        with self._lock:
            if self._found is None:
                self._found = self._open()
            return self._found


@dataclass(frozen=True)
class ExplainingGraph:
    """What computes rows with hidden units, beside what answers."""

    precision: str
    """Of what computes hidden rows."""
    compute: Compute
    """Rows with hidden units -> their outputs."""
    answers: Compute
    """Rows as they are -> the outputs that are answered."""
    another: bool = False
    """Whether it is another graph than the one that answers."""


def explaining_graph(predictor: Predictor, largest: int | None = None) -> ExplainingGraph:
    """What explains a predictor's answers: its own graph, unless that is int8.

    A dynamic int8 graph measures its ranges per batch, so that a hidden word changes the numbers of
    rows that have nothing to do with it: the bundle's fp32 explains in its place, or where it has
    none, or one of more than ``largest`` bytes, int8 computes rows one at a time.
    """
    own = predictor.row_outputs
    if predictor.precision != NOISY:
        return ExplainingGraph(predictor.precision, own, own)
    precise = predictor.precise
    if precise is None or (largest is not None and precise.size > largest):
        return ExplainingGraph(NOISY, one_at_a_time(own), own)
    return ExplainingGraph(PRECISE, precise.predictor().row_outputs, own, another=True)


def one_at_a_time(compute: Compute) -> Compute:
    """The same outputs, of each row in a batch of its own."""

    def outputs(rows: Sequence[Arrays]) -> list[Arrays]:
        return [found for row in rows for found in compute([row])]

    return outputs
