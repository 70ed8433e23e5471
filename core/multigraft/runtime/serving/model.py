"""A served model: one bundle, whose values are read in one place and answered in another."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from multigraft.contracts.padding import Fills
from multigraft.contracts.reader import MeasuredReader, PromptReader, Reader
from multigraft.contracts.records import Modality, Option
from multigraft.contracts.types import Answer, Arrays, Spec
from multigraft.errors import GenerationError, RowError
from multigraft.runtime.asking import check_asked
from multigraft.runtime.describing import branch_columns, columns, describe, shown
from multigraft.runtime.predictor import Predictor
from multigraft.runtime.read_value import ReadValue

log = logging.getLogger("multigraft")
PROMPT = "\0prompt"
"""The only array of a row that is a prompt to be continued; no reader's array has this name."""


SPREAD = 32
"""The bytes that a byte may become where a reader does not tell."""


@dataclass(frozen=True)
class _Read:
    """A prompt that was read before."""

    arrays: Arrays


class _Passing:
    """The reader of prompts that were read before, so that a predictor writes only."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @property
    def fills(self) -> Fills:
        return self._reader.fills

    def read(self, raw: _Read) -> Arrays:
        return raw.arrays

    def prompt(self, raw: _Read) -> np.ndarray:
        return raw.arrays[PROMPT]

    def text(self, tokens: Sequence[int]) -> str:
        return cast("PromptReader", self._reader).text(tokens)

    def length(self, row: Arrays) -> int:
        return self._reader.length(row)

    def spec(self) -> Spec:
        return self._reader.spec()


@dataclass(frozen=True)
class Form:
    """How a request gives a value."""

    columns: tuple[str, ...]
    typed: bool
    """Whether it is a text that a person types, rather than a file's content."""


class Model:
    """A predictor under a name, with what a person has to know to ask it. Thread-safe."""

    def __init__(self, name: str, predictor: Predictor, modality: Modality) -> None:
        self.name = name
        self.form = Form(columns(predictor.bundle, modality), typed=not modality.suffixes)
        self.branches = {
            branch: Form(branch_columns(predictor.bundle, branch, each), typed=not each.suffixes)
            for branch, each in modality.branches.items()
        }
        """The form of each value of several; empty where there is one."""
        self._modality = modality
        self._predictor = predictor
        self._writing = predictor.with_reader(_Passing(predictor.reader))

    @property
    def asks(self) -> Mapping[str, Option]:
        """What may be asked of an answer."""
        return self._predictor.asks

    def check(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is asked of answers, the defaults filled in. Raises PredictError."""
        if self._predictor.bundle.generation is None:
            return self._predictor.check(asked)
        return check_asked({}, asked, task=self._predictor.bundle.task)

    def read(self, value: Any) -> Arrays:
        """Read one value. Raises RowError."""
        generation = self._predictor.bundle.generation
        if generation is None:
            return self._predictor.reader.read(value)
        try:
            row, prompt = self._predictor.read_prompt(value)
        except GenerationError as error:
            raise RowError(str(error)) from error
        return row if generation.memory else {PROMPT: prompt}  # an encoder reads the value whole

    def memory(self, value: Any) -> int:
        """Bytes that reading a value may take: as its reader tells, else by its size."""
        reader = self._predictor.reader
        if isinstance(reader, MeasuredReader):
            try:
                return reader.memory(value)
            except Exception:  # what is wrong with the value is said when it is read
                log.debug("%s: the reader cannot measure a value", self.name, exc_info=True)
        return SPREAD * _bytes(value)

    def answer(self, values: Sequence[ReadValue]) -> list[Answer]:
        """Answer values that were read, in order."""
        if self._predictor.bundle.generation is None:
            return self._predictor.finish(values)
        prompts = [_Read(row) for value in values for row in value.rows]
        written: list[Answer] = self._writing.predict(prompts)
        return written

    def length(self, row: Arrays) -> int:
        """Length of a row that was read, as its reader counts."""
        return len(row[PROMPT]) if PROMPT in row else self._predictor.reader.length(row)

    def warm_up(self) -> None:
        """Compute once, so that the first real row need not allocate."""
        self._predictor.warmup()

    def describe(self) -> dict[str, Any]:
        """Describe the model to a client, as JSON."""
        facts = describe(
            self._predictor.bundle,
            self._modality,
            name=self.name,
            precision=self._predictor.precision,
        )
        return {**facts, "asks": shown(self.asks), "path": f"/models/{self.name}/predict"}


def _bytes(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(map(_bytes, value.values()))
    return sum(map(_bytes, value)) if isinstance(value, tuple) else len(value)
