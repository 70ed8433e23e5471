"""From raw values to answers, as the run gave them, without torch."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import IOBase
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast

import numpy as np

from multigraft.contracts.readers import collate, read_row, row_errors
from multigraft.contracts.records import Answer, Arrays, PromptReader, Reader, WindowReader
from multigraft.errors import BundleError, PredictError, RowError, refused_as
from multigraft.runtime.answers import check_kept, trimmed
from multigraft.runtime.bundle import Bundle
from multigraft.runtime.describing import check_columns
from multigraft.runtime.generation.generator import Generator
from multigraft.runtime.generation.options import Asked
from multigraft.runtime.length_batches import cut, nbytes, read_ahead, stack
from multigraft.runtime.lookup import Answering
from multigraft.runtime.session import Session

if TYPE_CHECKING:
    from multigraft.runtime.loading import Opening

Long = Literal["truncate", "window"]
OnError = Literal["raise", "return"]


@dataclass(frozen=True)
class _Item:
    """One value as it was read."""

    rows: tuple[Arrays, ...]
    """One row; several where it was cut into windows; none where it could not be read."""
    error: str = ""

    @property
    def size(self) -> int:
        return sum(nbytes(row) for row in self.rows)


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
        session: Session,
        reader: Reader,
        answering: Answering,
        generator: Generator | None = None,
        opening: Opening | None = None,
    ) -> None:
        """Use `loading.load`."""
        self._opening = opening
        self.bundle = bundle
        self.precision = precision
        self.reader = reader
        self._session = session
        self._generator = generator
        self._decode = answering.decode
        self._merge = answering.merge
        self._budget = bundle.precisions[precision].batch_length

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels an answer may have; empty where the task has none."""
        return tuple(self.bundle.targets.get("labels", ()))

    def predict(
        self,
        raw: Any,
        *,
        batch_size: int | None = None,
        top_k: int | None = None,
        threshold: float | None = None,
        long: Long = "truncate",
        on_error: OnError = "raise",
    ) -> Any:
        """Answer one value, or each of many (a list or an iterator gives a list in the same order).

        A value is what the modality reads: a text, a path, bytes, an array, a Pillow image; a tuple
        is one value of several columns, as a pair of texts, and refused where the training rows had
        one. Rows in a batch: ``batch_size``; unset, as many as the export measured to be fastest.
        ``top_k`` keeps the best scores, ``threshold``, from 0 to 1, those at least as high
        (``label`` is None where none is). A value longer than the model takes is cut off, or with
        ``long="window"`` read in windows that overlap, whose answers are merged by the task.

        Raises RowError with the index of a value that cannot be read; with ``on_error="return"``
        its answer is ``{"error": ...}``, and the others are answered. A bundle that generates
        answers as `generate` does by default, and takes ``batch_size`` alone.
        """
        plain = (top_k, threshold, long, on_error) == (None, None, "truncate", "raise")
        if self._generator is not None and plain:
            return self.generate(raw, batch_size=batch_size)
        if batch_size is not None and batch_size < 1:
            raise PredictError(f"batch_size is {batch_size}; it must be at least 1")
        check_kept(top_k=top_k, threshold=threshold)
        self._check_long(long)
        read = partial(self._item, long=long, on_error=on_error)
        trim = partial(trimmed, top_k=top_k, threshold=threshold)
        if not _is_many(raw):
            return trim(self._answers([read((None, raw))], batch_size)[0])
        answers: list[Answer] = []
        for items in read_ahead(enumerate(raw), read, lambda item: item.size):
            answers += map(trim, self._answers(items, batch_size))
        return answers

    def generate(self, prompts: Any, **asked: Unpack[Asked]) -> Any:
        """Continue one prompt, or each of many: answers with ``text``, ``tokens`` and why it
        ``ended``.

        What may be asked, with its defaults, is in
        `multigraft.runtime.generation.options.Settings`. Raises GenerationError for a wrong setting
        and for a prompt that leaves no room.
        """
        many = _is_many(prompts)
        answers = self._writing().generate(list(prompts) if many else [prompts], **asked)
        return answers if many else answers[0]

    def stream(self, prompt: Any, **asked: Unpack[Asked]) -> Iterator[str]:
        """Continue one prompt piece by piece: texts that, joined, are the ``text`` of
        `generate`."""
        return self._writing().stream(prompt, **asked)

    def with_reader(self, reader: Reader) -> Predictor:
        """This predictor with another reader, for values that were read before."""
        made = copy.copy(self)
        made._opening = None
        made.reader = reader
        if self._generator is not None:
            made._generator = replace(self._generator, reader=cast("PromptReader", reader))
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

    def read_prompt(self, prompt: Any) -> tuple[Arrays, np.ndarray]:
        """What an encoder reads of a prompt, and the tokens to continue.

        Raises RowError or GenerationError where it cannot be continued.
        """
        return self._writing().read(prompt)

    def _writing(self) -> Generator:
        if self._generator is None:
            raise BundleError(
                f"a bundle of task {self.bundle.task!r} does not generate; use predict"
            )
        return self._generator

    def outputs(self, values: Iterable[Any], *, batch_size: int | None = None) -> list[Arrays]:
        """The graph's own outputs for each of many values, in order."""
        found: list[Arrays] = []
        read = partial(self._item, long="truncate", on_error="raise")
        for items in read_ahead(enumerate(values), read, lambda item: item.size):
            rows = [item.rows[0] for item in items]
            part: list[Arrays] = [{} for _ in rows]
            for indices, outputs in self._batches(rows, batch_size):
                for place, index in enumerate(indices):
                    part[index] = {name: array[place] for name, array in outputs.items()}
            found += part
        return found

    def warmup(self) -> None:
        """Compute once, so that the first real call need not allocate."""
        if not self.bundle.sample:
            raise BundleError(
                "the bundle does not say how large a row is; export it again to warm it up"
            )
        dtypes = {port.name: port.dtype for port in self.bundle.inputs}
        self._session.run(
            {name: np.ones(self.bundle.sample[name], dtype=dtype) for name, dtype in dtypes.items()}
        )

    def _check_long(self, long: Long) -> None:
        if long == "window" and (self._merge is None or not isinstance(self.reader, WindowReader)):
            lacking = "reader" if self._merge is not None else "task"
            raise PredictError(
                f"long='window' needs a reader that cuts and a task that merges; the {lacking} of "
                f"{getattr(self.bundle, 'task' if lacking == 'task' else 'modality')!r} does not"
            )

    def _item(self, numbered: tuple[int | None, Any], *, long: Long, on_error: OnError) -> _Item:
        index, raw = numbered
        try:
            check_columns(self.bundle.columns, raw)
            if long == "window" and isinstance(self.reader, WindowReader):
                with row_errors():
                    return _Item(tuple(self.reader.windows(raw)))
            return _Item((read_row(self.reader, raw),))
        except RowError as error:
            text = str(error) if index is None else f"item {index}: {error}"
            if on_error == "return":
                return _Item((), text)
            raise RowError(text) from error

    def _answers(self, items: Sequence[_Item], batch_size: int | None) -> list[Answer]:
        answers: list[Answer] = [{"error": item.error} for item in items]
        owners = [place for place, item in enumerate(items) for _ in item.rows]
        parts: dict[int, dict[int, Arrays]] = {}
        rows = [row for item in items for row in item.rows]
        for indices, outputs in self._batches(rows, batch_size):
            answered = self.decode(outputs)
            for place, index in enumerate(indices):
                owner = owners[index]
                answers[owner] = answered[place]
                if len(items[owner].rows) > 1:
                    one = {name: array[place] for name, array in outputs.items()}
                    lengthy = {LENGTH: np.asarray(self.reader.length(rows[index]))}
                    parts.setdefault(owner, {})[index] = {**one, **lengthy}
        for owner, windows in parts.items():
            answers[owner] = self._merged([windows[index] for index in sorted(windows)])
        return answers

    def _merged(self, windows: Sequence[Arrays]) -> Answer:
        """One answer from the outputs of a value's windows."""
        stacked = {name: stack([window[name] for window in windows]) for name in windows[0]}
        lengths = stacked.pop(LENGTH)
        if self._merge is None:
            raise ValueError("windows without a task that merges them")
        with refused_as(BundleError, f"the windows' {self._named(stacked)} cannot be merged"):
            merged = self._merge(stacked, lengths)
        return self.decode(merged)[0]

    def decode(self, outputs: Arrays) -> list[Answer]:
        """An answer for each row of a batch of outputs. Raises BundleError where the task makes
        none."""
        rows = min(map(len, outputs.values()), default=0)
        with refused_as(BundleError, f"no answer can be made of {self._named(outputs)}"):
            answers = self._decode(self.bundle.targets, outputs)
        if len(answers) != rows:
            raise BundleError(
                f"task {self.bundle.task!r} made {len(answers)} answers for {rows} rows"
            )
        return answers

    def _named(self, outputs: Arrays) -> str:
        return f"outputs {', '.join(sorted(outputs))} of task {self.bundle.task!r}"

    def _batches(
        self, rows: Sequence[Arrays], batch_size: int | None
    ) -> Iterator[tuple[list[int], Arrays]]:
        """Rows of like length together: (indices, outputs of the graph)."""
        if self._generator is not None:
            raise BundleError(
                f"a bundle of task {self.bundle.task!r} writes texts and nothing else"
            )
        lengths = [self.reader.length(row) for row in rows]
        for indices in cut(lengths, rows=batch_size, budget=self._budget):
            yield indices, self._session.run(collate([rows[i] for i in indices], self.reader.fills))


LENGTH = "\0length"
"""Where a window's length is kept among its outputs; no output has this name."""


def _is_many(raw: Any) -> bool:
    return isinstance(raw, list) or (isinstance(raw, Iterator) and not isinstance(raw, IOBase))
