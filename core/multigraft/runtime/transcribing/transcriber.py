"""Which way a bundle transcribes long sounds, and what it may be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from multigraft.contracts.answers import Answers
from multigraft.contracts.reader import LongReader, Reader
from multigraft.contracts.records import Option
from multigraft.contracts.types import Answer, Arrays
from multigraft.errors import BundleError
from multigraft.runtime.answers.transcription import Transcription
from multigraft.runtime.asking import check_asked
from multigraft.runtime.generation.generator import Generator
from multigraft.runtime.transcribing import by_frames, sequential
from multigraft.runtime.transcribing.asks import ASKS

Run = Callable[[Arrays], Arrays]


def transcript_asks(generator: Generator | None, answers: Answers) -> Mapping[str, Option]:
    """What may be asked of a transcript."""
    return answers.asks if generator is None else ASKS


def segments(
    raw: Any,
    asked: Mapping[str, Any],
    *,
    reader: Reader,
    answers: Answers,
    generator: Generator | None,
    run: Run,
    task: str,
) -> Iterator[Answer]:
    """The segments of a sound of any length, in order. Raises BundleError where a bundle does not
    transcribe, PredictError for what is asked."""
    speaks = generator is not None and generator.ports.speech is not None
    framed = generator is None and isinstance(answers, Transcription)
    if not isinstance(reader, LongReader) or not (speaks or framed):
        raise BundleError(f"a bundle of task {task!r} does not transcribe; use predict")
    checked = check_asked(transcript_asks(generator, answers), asked, task=task)
    if generator is not None:
        found = sequential.transcribe(generator, reader, raw, checked)
        return (each.answer() for each in found)
    assert isinstance(answers, Transcription)
    return by_frames.transcribe(run, answers, reader, raw, checked)
