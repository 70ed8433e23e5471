"""From raw values to answers, as the run gave them, without torch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast, get_args

from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.explaining import Explainer
from multigraft.contracts.reader import PromptReader, Reader
from multigraft.contracts.records import Modality, Option
from multigraft.contracts.types import Answer, Arrays
from multigraft.errors import BundleError, refused_as
from multigraft.runtime import embedding, ranking, zero_shot
from multigraft.runtime import gallery as galleries
from multigraft.runtime.asking import Long, OnError, check_asked, check_choices, check_counts
from multigraft.runtime.branches import BranchSession
from multigraft.runtime.bundle import Bundle
from multigraft.runtime.explain import values as explaining
from multigraft.runtime.explain.precise import Precise
from multigraft.runtime.flipping import asks_of
from multigraft.runtime.generation.generator import Generator
from multigraft.runtime.generation.options import ASKS, Asked
from multigraft.runtime.given_values import given_values
from multigraft.runtime.length_batches import read_ahead
from multigraft.runtime.long_values import check_long, usual_long
from multigraft.runtime.predictor_view import predictor_view
from multigraft.runtime.read_value import (
    ReadValue,
    ValueReader,
    in_views,
    in_windows,
    is_many,
    warned_of_oddities,
)
from multigraft.runtime.row_outputs import row_outputs, warm_up
from multigraft.runtime.session import Session
from multigraft.runtime.transcribing.transcriber import Transcriber, transcriber_of, whole
from multigraft.system.notebook import page_part

if TYPE_CHECKING:
    from multigraft.runtime.loading import Opening


class Predictor:
    """A loaded bundle. It keeps nothing between calls and may be called from several threads.

    Pickled, it is where it lies and how it was opened: whoever unpickles it opens the folder again.
    A copy shares its graph.

    A row's answer does not depend on the rows beside it, but for rounding: in fp32 about the sixth
    digit, in a dynamic int8 graph, which measures its ranges per batch, about the second.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        precision: str,
        session: Session | BranchSession,
        reader: Reader,
        modality: Modality,
        answers: Answers,
        generator: Generator | None = None,
        explainers: Sequence[Explainer] = (),
        precise: Precise | None = None,
        opening: Opening | None = None,
    ) -> None:
        """Use `loading.load`."""
        self._opening = opening
        self.bundle = bundle
        self.precision = precision
        self.modality = modality
        """What a value is; of several branches composed of theirs."""
        self.reader = reader
        self.writer = generator
        """What writes texts; None where the bundle answers in one step."""
        self.explainers = tuple(explainers)
        """The ways to explain an answer that are installed here."""
        self.precise = precise
        """The bundle in fp32, which explains an int8 graph's answers; None where it has none."""
        self._session = session
        self._maker = answers
        self._long = usual_long(answers, reader, bundle)
        self._budget = bundle.precisions[precision].batch_length

    def __repr__(self) -> str:
        where = "" if self.folder is None else f" {self.folder}"
        named = f"{self.bundle.task} with {self.bundle.backbone}"
        return f"<Predictor{where}: {named}, {self.precision}>"

    def _repr_html_(self) -> str:
        return page_part(predictor_view(self))

    @property
    def folder(self) -> Path | None:
        """Where the bundle lies; None of a predictor with another reader."""
        return None if self._opening is None else self._opening.folder

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels an answer may have; empty where the task has none."""
        return tuple(self.bundle.targets.get("labels", ()))

    @property
    def maker(self) -> Answers:
        """What makes answers of the graph's outputs."""
        return self._maker

    @property
    def asks(self) -> Mapping[str, Option]:
        """What `predict` may be asked beside its own settings, as ``top_k``."""
        if self.writer is not None:
            return ASKS
        return asks_of(self._maker, self.reader, self._session.outputs)

    @property
    def windows(self) -> bool:
        """Whether a value is read in windows unless a caller asks to have it cut off."""
        return self._maker.windows

    @property
    def joins(self) -> bool:
        """Whether one answer is made of a value's windows."""
        return self._maker.joins

    def predict(
        self,
        raw: Any,
        *,
        batch_size: int | None = None,
        long: Long | None = None,
        on_error: OnError = "raise",
        **asked: Any,
    ) -> Any:
        """Answer one value, or each of many: a list or an iterator gives a list in the same order,
        and so do an array of texts, an array [pictures, H, W, channels], a column of pandas,
        polars or pyarrow, and the rows of a table.

        A value is what the modality reads: a text, a path, bytes, an array, a Pillow image; of
        several branches a mapping with the value of each; a tuple is one value of several columns,
        as a pair of texts, and refused where the training rows had one. Rows in a batch:
        ``batch_size``; unset, as many as the export measured to be fastest. What else may be
        ``asked`` the task says in `asks`: a classification ``top_k``, which keeps the best scores,
        and ``threshold``, from 0 to 1, which keeps those at least as high (``label`` is None where
        none is); of pictures mostly ``flip``, the mean with their mirror image. Of a value longer
        than the model takes: ``long="truncate"`` reads the beginning, ``"window"`` windows that
        overlap, of which the task makes one answer, and ``"refuse"`` raises; unset, what the
        task says (`Answers.windows`; `Objective.whole` of a text written).

        Raises RowError with the index of a value that cannot be read; with ``on_error="return"``
        its answer is ``{"error": ...}``, and the others are answered. A bundle that generates
        answers as `generate` does.
        """
        raw = given_values(raw, self.bundle, self.modality)
        check_counts(batch_size=batch_size)
        check_choices(on_error=(on_error, get_args(OnError)))
        long = self._checked(long)
        if self.writer is not None:
            settings = cast("Asked", {**asked, "batch_size": batch_size})
            return self._written(raw, on_error, long, settings)
        checked = self.check(asked)
        read = ValueReader(self.reader, self.bundle.columns, checked, long, on_error)
        many = is_many(raw)
        numbered = enumerate(raw) if many else [(None, raw)]
        size = attrgetter("size" if isinstance(raw, list) else "whole_size")
        answers: list[Answer] = []
        with warned_of_oddities() as count:
            for values in read_ahead(numbered, read, size):
                count(values)
                answers += self.answers(values, batch_size=batch_size)
        return answers if many else answers[0]

    def check(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What is asked of an answer, the defaults filled in. Raises PredictError."""
        self._refuse_writing()
        return check_asked(self.asks, asked, task=self.bundle.task)

    def answers(
        self, values: Sequence[ReadValue], *, batch_size: int | None = None
    ) -> list[Answer]:
        """Answer values that were read, in order; where one could not be, its answer says so."""
        values = [in_views(value, self._maker, self.reader) for value in values]
        rows = [row for value in values for row in value.rows]
        outputs = self._outputs(rows, batch_size)
        found = iter(map(Window, rows, outputs, map(self.reader.length, rows)))
        windows = [list(islice(found, len(value.rows))) for value in values]
        return [
            self.answer(value, each) if value.rows else {"error": value.error}
            for value, each in zip(values, windows, strict=True)
        ]

    def answer(self, value: ReadValue, windows: Sequence[Window]) -> Answer:
        """The answer to one value from what the graph gave. Raises BundleError where there is
        none."""
        outputs = ", ".join(sorted(windows[0].outputs))
        told = f"no answer can be made of outputs {outputs} of task {self.bundle.task!r}"
        with refused_as(BundleError, told):
            return self._maker.answer(value.raw, windows, value.asked)

    def generate(self, prompts: Any, *, long: Long | None = None, **asked: Unpack[Asked]) -> Any:
        """Continue one prompt, or each of many: answers with ``text``, ``tokens``, why it ``ended``
        and, of a value read in part, ``cut``: what it ``has``, and the model ``takes``.

        What may be asked is in `multigraft.runtime.generation.options.Settings`. Raises
        GenerationError for a wrong setting and for a prompt that leaves no room; RowError.
        """
        return self._written(prompts, "raise", self._checked(long), asked)

    def _written(self, values: Any, on_error: OnError, long: Long, asked: Asked) -> Any:
        many = is_many(values)
        given = list(values) if many else [values]
        writer = self._writing()
        answers = writer.generate(given, on_error=on_error, numbered=many, long=long, **asked)
        return answers if many else answers[0]

    def stream(
        self, prompt: Any, *, long: Long | None = None, **asked: Unpack[Asked]
    ) -> Iterator[str]:
        """Continue one prompt in pieces: joined, they are the ``text`` of `generate`."""
        return self._writing().stream(prompt, long=self._checked(long), **asked)

    def _checked(self, long: Long | None) -> Long:
        """What becomes of long values. Raises PredictError where that cannot be."""
        return check_long(long or self._long, self.reader, self._maker, self.bundle)

    def transcribe(self, raw: Any, *, stream: bool = False, **asked: Any) -> Any:
        """What is said in a sound of any length, of which little is in memory.

        Gives ``{"text", "segments"}``, a segment being ``{"start", "end", "text", ...}`` in
        seconds; with ``stream`` an iterator of segments, each as soon as it is sure. What may be
        ``asked`` is in `transcriber.asks`: of a model that writes `transcribing.asks.ASKS`, as the
        language and ``words``; of CTC what `predict` may be asked.

        Raises RowError for what is no sound, PredictError for what cannot be asked, BundleError
        where the bundle does not transcribe.
        """
        if (transcriber := self.transcriber) is None:
            raise BundleError(
                f"a bundle of task {self.bundle.task!r} does not transcribe; use predict"
            )
        found = transcriber.segments(raw, asked)
        return found if stream else whole(list(found))

    @property
    def transcriber(self) -> Transcriber | None:
        """What transcribes sounds of any length; None where nothing does."""
        run, task = self._session.run, self.bundle.task
        return transcriber_of(self.reader, self._maker, self.writer, run, task)

    def with_reader(
        self, reader: Reader, around: Callable[[Answers], Answers] = lambda answers: answers
    ) -> Predictor:
        """This predictor with another reader, and others ``around`` what makes its answers."""
        made = copy.copy(self)
        made._opening = None
        made.reader = reader
        made._maker = around(self._maker)
        made._long = usual_long(made._maker, reader, self.bundle)
        if self.writer is not None:
            made.writer = replace(self.writer, reader=cast("PromptReader", reader))
        return made

    def __copy__(self) -> Predictor:
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Predictor:
        return copy.copy(self)  # nothing of it ever changes

    def __reduce__(self) -> tuple[Any, ...]:
        if self._opening is None:
            raise BundleError(
                "a predictor with another reader cannot be pickled; load its bundle there"
            )
        return self._opening.again, ()

    def _writing(self) -> Generator:
        if self.writer is None:
            raise BundleError(
                f"a bundle of task {self.bundle.task!r} does not generate; use predict"
            )
        return self.writer

    def outputs(self, values: Iterable[Any], *, batch_size: int | None = None) -> list[Arrays]:
        """The graph's own outputs for each of many values, in order."""
        check_counts(batch_size=batch_size)
        found: list[Arrays] = []
        read = ValueReader(self.reader, self.bundle.columns)
        for held in read_ahead(enumerate(values), read, lambda value: value.size):
            found += self._outputs([value.rows[0] for value in held], batch_size)
        return found

    explain = explaining.explain
    embed = embedding.embed
    gallery = galleries.make_gallery
    rank = ranking.rank
    classify = zero_shot.classify

    def warmup(self) -> None:
        """Compute once, so that the first real call need not allocate."""
        warm_up(self._session, self.bundle)

    def finish(self, values: Sequence[ReadValue]) -> list[Answer]:
        """Answer values of which the first row was read, in order; in all their windows where
        answers are made of them, of which as much is held at a time as `predict` holds."""
        if self._long != "window":
            return self.answers(values)
        parts = read_ahead(values, partial(in_windows, reader=self.reader), attrgetter("size"))
        return [answer for part in parts for answer in self.answers(part)]

    def _refuse_writing(self) -> None:
        if self.writer is not None:
            raise BundleError(
                f"a bundle of task {self.bundle.task!r} writes texts and nothing else"
            )

    def row_outputs(self, rows: Sequence[Arrays]) -> list[Arrays]:
        """The graph's outputs for each of rows that were read, in order."""
        return self._outputs(rows, None)

    def _outputs(self, rows: Sequence[Arrays], batch_size: int | None) -> list[Arrays]:
        """The graph's outputs for each row, in order."""
        self._refuse_writing()
        return row_outputs(
            self._session, rows, self.reader, batch_size=batch_size, budget=self._budget
        )
