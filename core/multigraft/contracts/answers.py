"""What a task is to those who ask: from a graph's outputs to answers, and from answers to
metrics. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np

from multigraft.contracts.records import Option
from multigraft.contracts.types import Answer, Arrays
from multigraft.errors import PredictError

Named = Literal[
    "caption",
    "classification",
    "detection",
    "embedding",
    "embeddings",
    "extraction",
    "multilabel",
    "outputs",
    "regression",
    "segmentation",
    "summary",
    "tagging",
    "text",
    "transcription",
    "translation",
]
"""The answers that core brings, and a task may name."""
NAMES: tuple[str, ...] = get_args(Named)


@dataclass(frozen=True)
class Window:
    """One row as it was read, with what the graph gave for it. A value that was cut has several."""

    row: Arrays
    """As the reader gave it: without padding and batch axis, arrays that no graph takes too."""
    outputs: Arrays
    """As the graph gave them for this row, without the batch axis.

    Beside longer rows an output with something at each position is longer than its row.
    """
    length: int = 1
    """The row's `Reader.length`."""


@dataclass(frozen=True)
class ExplainedNumber:
    """The one number of an answer that an explanation is of."""

    name: str
    """The label whose probability it is, or what a regression calls it."""
    output: str
    """The output of the graph that holds it."""
    place: tuple[int, ...]
    """Where it stands in that output of one row."""


class Answers(Protocol):
    """Inherit it and write what the task needs; what has a body here may be left as it is.

    It is the torch-free twin of `Objective`: training, evaluation, the export gate and the bundle
    make answers with the same one. Nothing here keeps state between calls.
    """

    asks: Mapping[str, Option] = {}
    """What may be asked of an answer, as ``top_k``: by `Predictor.predict`, the command line, a
    server and a page. A default of None is handed on as it is."""
    joins: bool = False
    """Whether `answer` makes one answer of several windows; else a value that is too long for one
    row can only be cut off."""
    windows: bool = False
    """Whether such a value is read in windows unless a person asks to have it cut off; evaluation
    and the export gate then read it so too, but for what `Objective.whole` leaves out. Needs
    `joins`."""

    flips: tuple[str, ...] = ()
    """The outputs by which it makes one answer of a value and its mirror image (test-time
    augmentation), which may then be asked for as ``flip`` where the reader mirrors
    (`MirrorReader`); empty: it does not."""

    def answer(self, raw: Any, windows: Sequence[Window], asked: Mapping[str, Any]) -> Answer:
        """The answer to one raw value, from its windows in order; mostly there is one.

        ``asked`` holds every name of `asks`, the defaults filled in. Where it holds a true
        ``flip``, the windows' mirror images follow in the same order.
        """
        ...

    def score(self, answer: Answer, row: Mapping[str, Any]) -> Mapping[str, np.ndarray | float]:
        """What must be kept of one row to evaluate its answer: numbers, or arrays of a fixed shape.

        ``row`` is the raw row with its target columns, of `Task.files` whole paths. Who writes it
        gets metrics of the answers, from `summarise`; else a task's metrics are those that
        `Objective.measure` keeps.
        """
        return {}

    def together(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """What follows from all rows at once, as a rank among them: called before any resample.

        ``kept`` has every row's `score` and what `Objective.measure` kept, arrays [N, ...].
        """
        return kept

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """The metrics of the rows in ``kept``, beside the objective's, under names of their own.
        Called again on every bootstrap resample."""
        return {}

    def right(self, kept: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """Which rows in ``kept`` are answered wholly right, bool [N]; None: nothing is right or
        wrong, as with numbers, or the objective's `details` say it."""
        return None

    def explained(self, answer: Answer, of: str | None) -> ExplainedNumber:
        """The number of an answer that is explained: ``of`` a label or a number by its name; None:
        the one that the answer is first of all. Raises PredictError for a name that there is not.

        Who does not write it makes answers of which no one number is the whole.
        """
        raise PredictError("its answer is no one number")


def scores(answers: Answers) -> bool:
    """Whether metrics are computed from these answers."""
    return getattr(answers.score, "__func__", None) is not Answers.score


def explains(answers: Answers) -> bool:
    """Whether one number of these answers can be explained."""
    return getattr(answers.explained, "__func__", None) is not Answers.explained
