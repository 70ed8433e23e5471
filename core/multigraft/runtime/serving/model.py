"""A served model: one bundle, whose values are read in one place and answered in another."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

import numpy as np

from multigraft.contracts.reader import MeasuredReader, MeasuredWindowReader
from multigraft.contracts.records import Modality, Option
from multigraft.contracts.types import Answer, Arrays
from multigraft.errors import BundleError, GenerationError, RowError
from multigraft.runtime.asking import check_asked
from multigraft.runtime.describing import branch_columns, columns, describe, shown
from multigraft.runtime.explain.precise import explaining_graph
from multigraft.runtime.explain.subject import Compute
from multigraft.runtime.explain.values import (
    asked_way,
    can_explain,
    explain_value,
    explanation_asks,
    why_unexplained,
)
from multigraft.runtime.generation.generator import Steps
from multigraft.runtime.generation.methods import Prompt
from multigraft.runtime.generation.options import Asked, Settings
from multigraft.runtime.predictor import Predictor
from multigraft.runtime.read_value import ReadValue
from multigraft.runtime.serving.limits import Limits
from multigraft.runtime.transcribing.transcriber import Heard, Transcriber

log = logging.getLogger("multigraft")
MOST_WRITTEN = "max_new_tokens"
PROMPT = "\0prompt"
"""The tokens of a row that are to be continued; no reader's array has this name."""
CUT = "\0cut"
"""`Prompt.cut` of a row that holds the beginning of its value."""
SPREAD = 32
"""The bytes that a byte may become where a reader does not tell."""
TOGETHER = 128
"""Texts that are written at once, those that a beam search keeps counted."""


@dataclass(frozen=True)
class Form:
    """How a request gives a value."""

    columns: tuple[str, ...]
    typed: bool
    """Whether it is a text that a person types, rather than a file's content."""
    gathers: bool = False
    """Whether it is an object of cells, by its columns."""


@dataclass(frozen=True)
class Transcripts:
    """How a model is asked for the transcript of a sound of any length. Thread-safe."""

    form: Form
    transcriber: Transcriber
    branches: Mapping[str, Form] = field(default_factory=dict)
    """None: a sound stands alone."""

    @property
    def asks(self) -> Mapping[str, Option]:
        """What may be asked of a transcript."""
        return self.transcriber.asks

    def check(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is asked, the defaults filled in. Raises PredictError."""
        return self.transcriber.check(asked)

    def windows(self, value: Any, asked: Mapping[str, Any]) -> Generator[Heard]:
        """A sound a window at a time. Raises RowError, PredictError."""
        yield from self.transcriber.windows(value, asked)


@dataclass(frozen=True)
class Explains:
    """How a model is asked why it answers so. Thread-safe."""

    form: Form
    predictor: Predictor
    branches: Mapping[str, Form] = field(default_factory=dict)
    largest: int | None = None
    """Bytes of the largest further graph that may be opened to explain; None: of any size."""

    @property
    def asks(self) -> Mapping[str, Option]:
        """What may be asked of an explanation."""
        return explanation_asks(self.predictor)

    def check(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is asked, the defaults filled in. Raises PredictError."""
        return check_asked(self.asks, asked, task=self.predictor.bundle.task)

    def explain(
        self, value: Any, asked: Mapping[str, Any], within: Callable[[Compute], Compute]
    ) -> Answer:
        """The explanation of one value as JSON; ``within`` says where and when graphs compute.
        Raises RowError, PredictError, BundleError."""
        way, graph = (
            asked_way(self.predictor, asked),
            explaining_graph(self.predictor, self.largest),
        )
        turns = replace(graph, compute=within(graph.compute), answers=within(graph.answers))
        return explain_value(self.predictor, value, way, turns).to_dict()


class Model:
    """A predictor under a name, with what a person has to know to ask it. Thread-safe."""

    def __init__(self, name: str, predictor: Predictor, modality: Modality) -> None:
        self.name = name
        self.form = _form(columns(predictor.bundle, modality), modality)
        self.branches = {
            branch: _form(branch_columns(predictor.bundle, branch, each), each)
            for branch, each in modality.branches.items()
        }
        """The form of each value of several; empty where there is one."""
        self._modality = modality
        self._predictor = predictor
        self._most_written: int | None = None
        self._largest: int | None = None

    @property
    def writes(self) -> bool:
        """Whether its answers are texts, which can be told while they are written."""
        return self._predictor.writer is not None

    @property
    def rereads(self) -> bool:
        """Whether a value is read again to be answered, in all its windows."""
        return not self.writes and self._predictor.windows

    @property
    def transcripts(self) -> Transcripts | None:
        """How it is asked for transcripts; None where it does not transcribe."""
        transcriber = self._predictor.transcriber
        return None if transcriber is None else Transcripts(self.form, transcriber)

    @property
    def explains(self) -> Explains | None:
        """How it is asked for explanations; None where it gives none."""
        if not can_explain(self._predictor):
            return None
        return Explains(self.form, self._predictor, self.branches, self._largest)

    @property
    def unexplained(self) -> str:
        """Why it gives none."""
        return f"{self.name}: {why_unexplained(self._predictor)}"

    def within(self, limits: Limits) -> Model:
        """The same model as a server of these limits offers it."""
        found = copy.copy(self)
        found._most_written = limits.max_new_tokens
        found._largest = limits.memory
        return found

    @property
    def asks(self) -> Mapping[str, Option]:
        """What may be asked of an answer, within the server's limits."""
        asks = self._predictor.asks
        if self._most_written is None or MOST_WRITTEN not in asks:
            return asks
        own = asks[MOST_WRITTEN]
        most = [self._most_written, *([] if own.high is None else [own.high])]
        return {**asks, MOST_WRITTEN: replace(own, high=min(most))}

    def check(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is asked of answers, the defaults filled in. Raises PredictError, or
        GenerationError."""
        writer = self._predictor.writer
        if writer is None:
            return self._predictor.check(asked)
        return asdict(writer.settings(cast("Asked", asked)))

    def read(self, value: Any) -> Arrays:
        """Read one value. Raises RowError."""
        writer = self._predictor.writer
        if writer is None:
            return self._predictor.reader.read(value)
        try:
            prompt = writer.read(value)
        except GenerationError as error:
            raise RowError(str(error)) from error
        cut = {} if prompt.cut is None else {CUT: np.array(prompt.cut)}
        return {**prompt.row, PROMPT: prompt.tokens, **cut}

    def memory(self, value: Any) -> int:
        """Bytes that reading a value may take: as its reader tells, else by its size."""
        reader = self._predictor.reader
        if isinstance(reader, MeasuredReader):
            try:
                if self.rereads and isinstance(reader, MeasuredWindowReader):
                    return reader.windows_memory(value)
                return reader.memory(value)
            except Exception:  # what is wrong with the value is said when it is read
                log.debug("%s: the reader cannot measure a value", self.name, exc_info=True)
        return SPREAD * _bytes(value)

    def answer(self, values: Sequence[ReadValue]) -> list[Answer]:
        """Answer values that were read, in order."""
        writer = self._predictor.writer
        if writer is None:
            return self._predictor.finish(values)
        found: dict[int, Answer] = {}
        for chosen, places in _alike(values).items():
            prompts = [_prompt(values[place]) for place in places]
            rows = max(1, min(chosen.batch_size, TOGETHER // _kept(chosen)))
            answers = writer.write(prompts, replace(chosen, batch_size=rows))
            found.update(zip(places, answers, strict=True))
        return [found[place] for place in range(len(values))]

    def steps(self, value: ReadValue) -> Steps:
        """Write the text of a value that was read, a token at a time. Raises GenerationError for
        beam search."""
        writer = self._predictor.writer
        if writer is None:
            raise BundleError(f"{self.name} writes no texts")
        return writer.steps(_prompt(value), Settings(**value.asked))

    def length(self, row: Arrays) -> int:
        """Length of a row that was read, as its reader counts."""
        alone = row.keys() == {PROMPT}
        return len(row[PROMPT]) if alone else self._predictor.reader.length(row)

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
        asks, path = shown(self.asks), f"/models/{self.name}/predict"
        told, transcripts = {"asks": asks, "streams": self.writes, "path": path}, self.transcripts
        if transcripts is not None:
            path = f"/models/{self.name}/transcribe"
            told["transcribes"] = {"path": path, "asks": shown(transcripts.asks)}
        if (explains := self.explains) is not None:
            path = f"/models/{self.name}/explain"
            told["explains"] = {"path": path, "asks": shown(explains.asks)}
        return {**facts, **told}


def _form(columns: tuple[str, ...], modality: Modality) -> Form:
    return Form(columns, typed=not modality.suffixes, gathers=modality.gathers)


def _prompt(value: ReadValue) -> Prompt:
    read = value.rows[0]
    row = {name: array for name, array in read.items() if name not in (PROMPT, CUT)}
    cut = tuple(read[CUT].tolist()) if CUT in read else None
    return Prompt(row, read[PROMPT], value.place, value.gone, cut)


def _alike(values: Sequence[ReadValue]) -> dict[Settings, list[int]]:
    """The places of values of which texts are to be written in the same way."""
    found: dict[Settings, list[int]] = {}
    for place, value in enumerate(values):
        found.setdefault(Settings(**value.asked), []).append(place)
    return found


def _kept(chosen: Settings) -> int:
    """How many texts are kept of one that is written."""
    return chosen.beams if chosen.method == "beam" else 1


def _bytes(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(map(_bytes, value.values()))
    if isinstance(value, tuple):
        return sum(map(_bytes, value))
    return len(value) if isinstance(value, str | bytes) else 0
