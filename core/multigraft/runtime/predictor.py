"""From raw values to answers, as the run gave them, without torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from io import IOBase
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.bundle import Bundle, Owner, open_bundle
from multigraft.catalog import Catalog
from multigraft.decoders import embedding
from multigraft.errors import BundleError, RowError, UnknownName
from multigraft.readers import collate, load_spec
from multigraft.records import Answer, Arrays, Modality, Reader, Task
from multigraft.runtime.session import Session

WINDOW = 16
"""How many batches are read ahead, so that rows of one length meet."""


class Predictor:
    """A loaded bundle. It keeps nothing between calls and may be called from several threads.

    A row's answer does not depend on the rows beside it, but for rounding: in fp32 about the sixth digit,
    in a dynamic int8 graph, which measures its ranges per batch, about the second.
    """

    def __init__(
        self, bundle: Bundle, *, precision: str, session: Session, reader: Reader, task: Task
    ) -> None:
        """Use `load`."""
        self.bundle = bundle
        self.precision = precision
        self.reader = reader
        self._session = session
        self._decode = task.decode or embedding

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels an answer may have; empty where the task has none."""
        return tuple(self.bundle.targets.get("labels", ()))

    def predict(self, raw: Any, *, batch_size: int = 32, top_k: int | None = None) -> Any:
        """Answer one value, or each of many (a list or an iterator gives a list in the same order).

        A tuple is one value of several columns, as a pair of texts. ``top_k`` keeps the best scores only.
        Raises RowError with the index of a value that cannot be read.
        """
        if not _is_many(raw):
            return self._answers([self._read(raw)], batch_size, top_k)[0]
        answers: list[Answer] = []
        for rows in self._windows(raw, batch_size):
            answers += self._answers(rows, batch_size, top_k)
        return answers

    def outputs(self, values: Iterable[Any], *, batch_size: int = 32) -> list[Arrays]:
        """The graph's own outputs for each of many values, in order."""
        found: list[Arrays] = []
        for rows in self._windows(values, batch_size):
            window: list[Arrays] = [{} for _ in rows]
            for indices, outputs in self._batches(rows, batch_size):
                for place, index in enumerate(indices):
                    window[index] = {name: array[place] for name, array in outputs.items()}
            found += window
        return found

    def _windows(self, values: Iterable[Any], batch_size: int) -> Iterator[list[Arrays]]:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        numbered = enumerate(values)
        while window := list(islice(numbered, WINDOW * batch_size)):
            yield [self._read(raw, index) for index, raw in window]

    def _read(self, raw: Any, index: int | None = None) -> Arrays:
        try:
            return self.reader.read(raw)
        except RowError as error:
            if index is None:
                raise
            raise RowError(f"item {index}: {error}") from error

    def _answers(self, rows: Sequence[Arrays], batch_size: int, top_k: int | None) -> list[Answer]:
        answers: list[Answer] = [{} for _ in rows]
        for indices, outputs in self._batches(rows, batch_size):
            for index, answer in zip(indices, self._decode(self.bundle.targets, outputs), strict=True):
                answers[index] = answer if top_k is None else _best(answer, top_k)
        return answers

    def _batches(self, rows: Sequence[Arrays], batch_size: int) -> Iterator[tuple[list[int], Arrays]]:
        """Rows of like length together: (indices, outputs of the graph)."""
        lengths = [self.reader.length(row) for row in rows]
        order = np.argsort(lengths, kind="stable").tolist()
        for start in range(0, len(order), batch_size):
            indices = order[start : start + batch_size]
            yield indices, self._session.run(collate([rows[i] for i in indices], self.reader.fills))


def load(
    folder: str | Path,
    *,
    precision: str | None = None,
    threads: int | None = None,
    providers: Sequence[str] | None = None,
    catalog: Catalog | None = None,
) -> Predictor:
    """Check a bundle and open it. Raises BundleError.

    ``precision`` is one that the bundle holds (unset: the one it prefers); ``threads`` compute one call;
    ``providers`` are onnxruntime's (unset: the CPU); ``catalog`` knows the modality and the task
    (unset: the installed plugins).
    """
    folder = Path(folder)
    bundle = open_bundle(folder)
    chosen, file = _choose(bundle, precision)
    modality, task = _look_up(bundle, catalog if catalog is not None else Catalog())
    session = Session(folder / file, threads=threads, providers=providers)
    reader = modality.reader(load_spec(bundle.reader, folder))
    return Predictor(bundle, precision=chosen, session=session, reader=reader, task=task)


def _choose(bundle: Bundle, wanted: str | None) -> tuple[str, str]:
    name = wanted or bundle.default
    entry = bundle.precisions.get(name)
    if entry is not None and entry.accepted and entry.file is not None:
        return name, entry.file
    held = ", ".join(key for key, value in bundle.precisions.items() if value.accepted)
    why = "was not exported" if entry is None else f"was refused: {entry.reason}"
    raise BundleError(f"precision {name!r} {why}; the bundle holds {held}")


def _look_up(bundle: Bundle, catalog: Catalog) -> tuple[Modality, Task]:
    return (
        _known(lambda: catalog.modality(bundle.modality), "modality", bundle),
        _known(lambda: catalog.task(bundle.task), "task", bundle),
    )


def _known(find: Any, noun: str, bundle: Bundle) -> Any:
    try:
        return find()
    except UnknownName as error:
        raise BundleError(f"{error}\n  {_advice(noun, bundle.owners.get(noun))}") from error


def _advice(noun: str, owner: Owner | None) -> str:
    if owner is None:
        return f"the bundle does not say which plugin brings this {noun}"
    of = f"plugin {owner.plugin!r}" + (f" {owner.version}" if owner.version else "")
    if not owner.distribution:
        return f"it came from {of}, which was handed over as an object: load(..., catalog=Catalog([plugin]))"
    pin = f"=={owner.version}" if owner.version else ""
    return f'it came from {of}  ->  pip install "{owner.distribution}{pin}"'


def _is_many(raw: Any) -> bool:
    return isinstance(raw, list) or (isinstance(raw, Iterator) and not isinstance(raw, IOBase))


def _best(answer: Answer, count: int) -> Answer:
    if not isinstance(answer.get("scores"), dict):
        raise ValueError("top_k needs a task whose answers rank labels; this one's have no 'scores'")
    return {**answer, "scores": dict(islice(answer["scores"].items(), count))}
