"""Checks of a filter: its own examples, any values, and the same verdict each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from multigraft.contracts.filters import Dropped, Filter
from multigraft.contracts.options import defaults
from multigraft.contracts.readers import row_errors
from multigraft.contracts.records import Modality
from multigraft.errors import RowError
from multigraft.testing.checks import Skipped
from multigraft.testing.workbench import Subject

ODD: tuple[Any, ...] = (
    None,
    "",
    " ",
    3,
    2.5,
    True,
    b"",
    b"\x00\xff",
    [],
    {},
    "\ud800",
    "a\x00b",
    "x" * 10_000,
)
"""Values that a corpus may hold, whatever it was meant to."""


def examples(subject: Subject) -> Iterator[str]:
    """What it says that it keeps is kept, and what it drops or mends is dropped or mended."""
    record: Filter = subject.record
    judge = _judge(record)
    if record.keeps is None or record.drops is None:
        yield "it gives no keeps and drops, which its page and this check show"
        return
    kept, value = record.keeps(), record.drops()
    dropped = judge(value)
    if isinstance(dropped, Dropped) and not _in_words(dropped):
        yield f"{value!r:.80} is dropped by {dropped!r:.80}, whose why and told are no texts"
    if (why := _changed(judge(kept), kept)) is not None:
        yield f"{kept!r:.80}, which it says it keeps, {why}"
    if _changed(dropped, value) is None:
        yield f"{value!r:.80}, which it says it drops or mends, stays as it is"


def steady(subject: Subject) -> Iterator[str]:
    """The same value gives the same verdict again, after others and from another judge."""
    record: Filter = subject.record
    first, second = _judge(record), _judge(record)
    values = _values(subject)
    before = [_verdict(first, value) for value in values]
    for number in reversed(range(len(values))):
        for judge in (first, second):
            if _verdict(judge, values[number]) != before[number]:
                yield f"of {values[number]!r:.60} it says one thing, and then another"
                return


def odd_values(subject: Subject) -> Iterator[str]:
    """Any value is kept, mended or dropped, and nothing else is raised than RowError."""
    judge = _judge(subject.record)
    for value in ODD:
        try:
            judge(value)
        except RowError:
            continue
        except Exception as error:
            yield f"{value!r:.60} raised {type(error).__name__}: {error}"


def sketches(subject: Subject) -> Iterator[str]:
    """Sketches are unsigned integers, a row for each value; equal values have equal ones."""
    record: Filter = subject.record
    if record.likeness is None:
        raise Skipped("it looks for no duplicates")
    for modality in _modalities(subject, record):
        values = subject.bench.raws(modality)
        found, _ = record.likeness(defaults(record.options), modality).sketch([*values, *values])
        if found.dtype.kind != "u" or found.ndim != 2 or len(found) != 2 * len(values):
            yield f"of {modality.name} it gave {found.shape} of {found.dtype}"
        elif not np.array_equal(found[: len(values)], found[len(values) :]):
            yield f"of {modality.name} equal values have different sketches"


def _modalities(subject: Subject, record: Filter) -> Iterator[Modality]:
    for modality in subject.bench.catalog.modalities():
        mine = not record.modality or modality.name == record.modality
        if mine and modality.samples is not None and modality.likeness is not None:
            yield modality


def _judge(record: Filter) -> Callable[[Any], Any]:
    """Its function of one raw value, with the options that its examples are tried with."""
    if record.judge is None:
        raise Skipped("it looks for duplicates alone")
    judge, opened = record.judge({**defaults(record.options), **record.trial}), record.opened
    if opened is None:
        return judge

    def judged(value: Any) -> Any:
        try:
            with row_errors():
                return judge(opened(value))
        except RowError as error:  # as a preparation does
            return Dropped(str(error))

    return judged


def _values(subject: Subject) -> list[Any]:
    record: Filter = subject.record
    own = [make() for make in (record.keeps, record.drops) if make is not None]
    return [*own, *(value for value in ODD if isinstance(value, str))]


def _verdict(judge: Callable[[Any], Any], value: Any) -> str:
    try:
        found = judge(value)
    except RowError as error:
        return str(error)
    return repr(found) if isinstance(found, Dropped | str) else "kept"


def _in_words(dropped: Dropped) -> bool:
    return isinstance(dropped.why, str) and bool(dropped.why) and isinstance(dropped.told, str)


def _changed(found: Any, value: Any) -> str | None:
    """What became of a value; None where it stayed. What was opened is kept or dropped."""
    if isinstance(found, Dropped):
        return f"is dropped: {found.why}"
    mended = isinstance(value, str) and isinstance(found, str) and found != value
    return f"becomes {found!r:.80}" if mended else None
