"""Long values: what becomes of one that is longer than a row."""

from __future__ import annotations

from typing import Any, get_args

from multigraft.contracts.answers import Answers
from multigraft.contracts.reader import CountingReader, Excess, LongReader, Reader, WindowReader
from multigraft.contracts.readers import excess_of
from multigraft.contracts.types import Arrays
from multigraft.errors import PredictError, RowError
from multigraft.runtime.asking import Long, check_choices
from multigraft.runtime.bundle import Bundle


def usual_long(answers: Answers, reader: Reader, bundle: Bundle) -> Long:
    """What becomes of it unless a caller says so: what became of it where the bundle was
    measured, or windows of it where those were left out."""
    if bundle.generation is not None:
        return usual_written(whole=bundle.generation.whole)
    return "window" if answers.windows and isinstance(reader, WindowReader) else "truncate"


def usual_written(*, whole: bool) -> Long:
    """The same of what a text is written about."""
    return "refuse" if whole else "truncate"


def check_long(long: Long, reader: Reader, answers: Answers, bundle: Bundle) -> Long:
    """What is asked for. Raises PredictError where it cannot be: windows, and the value cannot be
    cut or the answers not joined; a refusal, and the reader does not count."""
    check_choices(long=(long, get_args(Long)))
    if long == "refuse" and not (isinstance(reader, CountingReader) or bundle.generation):
        raise PredictError(
            "long='refuse' needs a reader that tells how long a value is; that of "
            f"{bundle.modality!r} does not"
        )
    joins = answers.joins and bundle.generation is None
    if long != "window" or (isinstance(reader, WindowReader) and joins):
        return long
    lacking, name = ("reader", bundle.modality) if joins else ("task", bundle.task)
    raise PredictError(
        "long='window' needs a reader that cuts and a task whose answers join windows; the "
        f"{lacking} of {name!r} does not"
    )


def bounded(reader: Reader, raw: Any, row: Arrays, long: Long) -> Excess | None:
    """How much of a value its row leaves out. Raises RowError where that is to be refused."""
    excess = excess_of(reader, raw, row)
    if excess is not None and long == "refuse":
        other = ", or transcribe it, at any length" if isinstance(reader, LongReader) else ""
        raise RowError(
            f"is longer than the model takes: {excess}; shorten it, or ask for its parts one by "
            f"one{other}"
        )
    return excess
