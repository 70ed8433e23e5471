"""One bundle as a server holds it: values are read in one place and answered in another."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from multigraft.records import Answer, Arrays, Modality, Reader, Spec
from multigraft.runtime.describing import describe
from multigraft.runtime.predictor import Predictor


@dataclass(frozen=True)
class _Read:
    """A value that was read before."""

    arrays: Arrays


class _Passing:
    """The reader of values that were read before, so that a predictor computes and decodes only."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @property
    def fills(self) -> Mapping[str, float]:
        return self._reader.fills

    def read(self, raw: _Read) -> Arrays:
        return raw.arrays

    def length(self, row: Arrays) -> int:
        return self._reader.length(row)

    def spec(self) -> Spec:
        return self._reader.spec()


class Model:
    """A predictor under a name, with what a person has to know to ask it. Its methods are thread-safe."""

    def __init__(self, name: str, predictor: Predictor, modality: Modality) -> None:
        self.name = name
        self.columns = modality.columns
        self.suffixes = modality.suffixes
        self._modality = modality
        self._predictor = predictor
        self._answering = copy.copy(predictor)
        self._answering.reader = _Passing(predictor.reader)

    @property
    def typed(self) -> bool:
        """Whether a value is a text that a person types; else it is the content of a file."""
        return not self.suffixes

    def read(self, value: Any) -> Arrays:
        """Read one value. Raises RowError."""
        return self._predictor.reader.read(value)

    def answer(self, rows: Sequence[Arrays]) -> list[Answer]:
        """Answer rows that were read, in order."""
        answers: list[Answer] = self._answering.predict([_Read(row) for row in rows])
        return answers

    def length(self, row: Arrays) -> int:
        """How long a row that was read is, as its reader counts."""
        return self._predictor.reader.length(row)

    def warm_up(self) -> None:
        """Compute once, so that the first real row need not allocate."""
        self._predictor.warmup()

    def describe(self) -> dict[str, Any]:
        """What a client may want to know, as JSON."""
        facts = describe(
            self._predictor.bundle, self._modality, name=self.name, precision=self._predictor.precision
        )
        return {**facts, "path": f"/models/{self.name}/predict"}
