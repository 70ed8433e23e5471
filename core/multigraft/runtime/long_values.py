"""Long values: what becomes of one that is longer than a row."""

from __future__ import annotations

from multigraft.contracts.answers import Answers
from multigraft.contracts.reader import Reader, WindowReader
from multigraft.errors import PredictError
from multigraft.runtime.asking import Long
from multigraft.runtime.bundle import Bundle


def usual_long(answers: Answers, reader: Reader) -> Long:
    """What becomes of it unless a caller says so."""
    return "window" if answers.windows and isinstance(reader, WindowReader) else "truncate"


def check_long(long: Long, reader: Reader, answers: Answers, bundle: Bundle) -> None:
    """Raise PredictError where windows are asked for, and the value cannot be cut or the answers
    not joined."""
    if long != "window" or (isinstance(reader, WindowReader) and answers.joins):
        return
    lacking, name = ("reader", bundle.modality) if answers.joins else ("task", bundle.task)
    raise PredictError(
        "long='window' needs a reader that cuts and a task whose answers join windows; the "
        f"{lacking} of {name!r} does not"
    )
