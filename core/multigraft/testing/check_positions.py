"""Checks of a task with what is around it: a reader's own positions, windows, augmentation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multigraft.contracts.answers import Window
from multigraft.contracts.frames import moved
from multigraft.contracts.padding import Fills
from multigraft.contracts.reader import Reader
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Answer, Arrays, Spec
from multigraft.runs.run import Run
from multigraft.runtime import Predictor
from multigraft.runtime.read_value import ReadValue
from multigraft.testing.arrays import alike, copied
from multigraft.testing.check_task import predictor_of, raws_of, untrained
from multigraft.testing.checks import Skipped
from multigraft.testing.workbench import Subject

ROWS, ASKED = 8, 4


def placed(subject: Subject) -> Iterator[str]:
    """Targets and answers leave out the positions that are not the value's."""
    run, raws = untrained(subject), raws_of(subject, ROWS)
    before, behind = _frame([run.reader.read(raw) for raw in raws], run.reader.fills)
    if not before and not behind:
        raise Skipped("the reader puts nothing around a value")
    places = [*range(before), *range(-behind, 0)]
    tried = [*_targets(run, places), *_answers(subject, raws, places)]
    if not tried:
        raise Skipped("it has neither targets nor outputs at positions")
    yield from filter(None, tried)


def _frame(rows: Sequence[Arrays], names: Fills) -> tuple[int, int]:
    """How many first and last positions are the same in every row."""
    arrays = [[row[name] for name in names if name in row] for row in rows]
    shortest = min((len(array) for each in arrays for array in each), default=0)

    def same(place: int) -> bool:
        return all(
            np.array_equal(one[place], other[place])
            for each in arrays[1:]
            for one, other in zip(arrays[0], each, strict=True)
        )

    before = next((place for place in range(shortest) if not same(place)), 0)
    behind = next((place for place in range(shortest) if not same(-1 - place)), 0)
    return before, behind


def _targets(run: Run, places: Sequence[int]) -> Iterator[str]:
    """A sentence, or nothing if right, for each target with a number at each position."""
    rows = [
        run.rows["train"].fetch(index, None) for index in range(min(ROWS, len(run.rows["train"])))
    ]
    for name in run.objective.fills:
        if not all(name in row and len(row[name]) == run.reader.length(row) for row in rows):
            continue
        varied = {place: {row[name][place].tobytes() for row in rows} for place in places}
        odd = [place for place, found in varied.items() if len(found) > 1]
        yield (
            f"the target {name!r} differs from row to row at position {odd[0]}, where the reader "
            "gives the same for every value: it is another position's"
            if odd
            else ""
        )


def _answers(subject: Subject, raws: Sequence[Any], places: Sequence[int]) -> Iterator[str]:
    """The same for each output that has numbers at each position."""
    predictor = predictor_of(subject)
    if predictor.bundle.generation is not None:
        return
    outputs = predictor.outputs(raws, batch_size=1)
    asked = predictor.check({})
    values = [ReadValue(raw, (predictor.reader.read(raw),), asked) for raw in raws]
    lengths = [predictor.reader.length(value.rows[0]) for value in values]
    if len(set(lengths)) < 2:
        return
    for name in outputs[0]:
        arrays = [row[name] for row in outputs]
        sized = all(len(np.atleast_1d(a)) == size for a, size in zip(arrays, lengths, strict=True))
        if arrays[0].ndim and arrays[0].dtype.kind == "f" and sized:
            yield _depends(predictor, list(zip(values, outputs, strict=True)), name, places)


def _depends(
    predictor: Predictor,
    answered: Sequence[tuple[ReadValue, Arrays]],
    name: str,
    places: Sequence[int],
) -> str:
    """Whether an answer changes with what the graph gives at these positions."""
    for value, row in answered:
        wanted = _made(predictor, value, row)
        for turn in range(1, max(2, row[name].shape[-1])):
            other = copied(row)
            for place in places:
                found = row[name][place]
                other[name][place] = np.roll(found, turn, axis=-1) if found.ndim else -found
            if not alike(wanted, _made(predictor, value, other)):
                return (
                    f"its answer depends on what the output {name!r} holds at position "
                    f"{places[0]}, where the reader gives the same for every value, as [CLS]: it "
                    "is no part of the value"
                )
    return ""


def _made(predictor: Predictor, value: ReadValue, outputs: Arrays) -> Answer:
    row = value.rows[0]
    return predictor.answer(value, [Window(row, outputs, predictor.reader.length(row))])


@dataclass(frozen=True)
class InWindows:
    """A reader to which every value is too long: two windows, the second of another value."""

    reader: Reader
    second: Any

    @property
    def fills(self) -> Fills:
        return self.reader.fills

    def read(self, raw: Any) -> Arrays:
        return self.reader.read(raw)

    def windows(self, raw: Any) -> list[Arrays]:
        return [self.reader.read(each) for each in (raw, self.second)]

    def length(self, row: Arrays) -> int:
        return self.reader.length(row)

    def spec(self) -> Spec:
        return self.reader.spec()


def joined(subject: Subject) -> Iterator[str]:
    """Windows of different length, computed alone and beside others, become the same one answer."""
    if subject.record.answers is None:
        raise Skipped("its answers join no windows")
    predictor, raws = predictor_of(subject), raws_of(subject, ASKED)
    if not predictor.joins:
        raise Skipped("its answers join no windows")
    reader: Reader = predictor.reader
    shortest = min(raws, key=lambda raw: reader.length(reader.read(raw)))
    asked = predictor.with_reader(InWindows(reader, shortest))
    together, alone = (asked.predict(raws, long="window", batch_size=size) for size in (None, 1))
    if len(together) != len(raws):
        yield f"{len(together)} answers for the windows of {len(raws)} values"
    for one, other in zip(together, alone, strict=False):
        json.dumps(one, allow_nan=False)
        if not alike(one, other):
            yield (
                "windows computed beside others are joined to another answer than alone: it reads "
                "padding"
            )
            return


def augmented(subject: Subject) -> Iterator[str]:
    """Rows that were augmented with their targets have a loss."""
    run = untrained(subject)
    augment = run.resolved.modality.augment
    if augment is None:
        raise Skipped("its modality has no augmentation")
    options = {
        name: option.default for name, option in run.resolved.modality.augment_options.items()
    }
    change = augment("strong", run.reader, options)
    rows = [run.rows["train"].fetch(index, None) for index in range(4)]
    for attempt in range(3):
        rng = np.random.default_rng(attempt)
        try:
            changed = [_changed(run, change(copied(row), rng), rng) for row in rows]
            found = _loss(run, changed, rng)
        except Exception as error:
            yield (
                "rows that were augmented with their targets have no loss: "
                f"{type(error).__name__}: {error}; what is augmented must fit the targets"
            )
            return
        if not np.isfinite(found).all():
            yield "the loss of rows that were augmented with their targets is not finite"
            return


def _changed(run: Run, row: Arrays, rng: np.random.Generator) -> Arrays:
    """An augmented row as a batch takes it."""
    return run.objective.view(moved(row, run.objective.moves, run.objective.fills), rng)


def _loss(run: Run, rows: Sequence[Arrays], rng: np.random.Generator) -> np.ndarray:
    import torch

    batch = run.objective.prepare(collate(rows, {**run.reader.fills, **run.objective.fills}), rng)
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in batch.items()}
    with torch.no_grad():
        total: np.ndarray = run.objective.loss(run.graft(tensors), tensors).total.numpy()
    return total
