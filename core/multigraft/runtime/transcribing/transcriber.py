"""Which way a bundle transcribes long sounds, and what it may be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from multigraft.contracts.answers import Answers
from multigraft.contracts.reader import LongReader, Reader
from multigraft.contracts.records import Option
from multigraft.contracts.types import Answer, Arrays
from multigraft.runtime.answers.transcription import Transcription
from multigraft.runtime.asking import check_asked
from multigraft.runtime.generation.generator import Generator
from multigraft.runtime.transcribing import by_frames, sequential
from multigraft.runtime.transcribing.asks import ASKS
from multigraft.runtime.transcribing.word_times import check_alignment

Run = Callable[[Arrays], Arrays]


@dataclass(frozen=True)
class Heard:
    """What became sure when a window was heard."""

    until: float
    """The second of the sound up to which it was heard."""
    segments: Sequence[Answer]


@dataclass(frozen=True)
class Transcriber:
    """How one bundle transcribes sounds of any length."""

    reader: LongReader
    answers: Answers
    generator: Generator | None
    run: Run
    task: str

    @property
    def asks(self) -> Mapping[str, Option]:
        """What may be asked of a transcript."""
        return self.answers.asks if self.generator is None else ASKS

    def check(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What is asked, the defaults filled in. Raises PredictError, BundleError."""
        checked = check_asked(self.asks, asked, task=self.task)
        if self.generator is not None and checked["words"]:
            check_alignment(self.generator.ports)
        return checked

    def windows(self, raw: Any, checked: Mapping[str, Any]) -> Iterator[Heard]:
        """A sound a window at a time. Raises RowError, PredictError for a language."""
        if self.generator is not None:
            for until, spoken in sequential.windows(self.generator, self.reader, raw, checked):
                yield Heard(until, [each.answer() for each in spoken])
            return
        assert isinstance(self.answers, Transcription)
        for until, told in by_frames.windows(self.run, self.answers, self.reader, raw, checked):
            yield Heard(until, told)

    def segments(self, raw: Any, asked: Mapping[str, Any]) -> Iterator[Answer]:
        """The segments of a sound, in order. Raises as `check` and `windows` do."""
        checked = self.check(asked)
        return (each for heard in self.windows(raw, checked) for each in heard.segments)


def transcriber_of(
    reader: Reader, answers: Answers, generator: Generator | None, run: Run, task: str
) -> Transcriber | None:
    """The transcriber of a bundle; None where it does not transcribe."""
    speaks = generator is not None and generator.ports.speech is not None
    framed = generator is None and isinstance(answers, Transcription)
    if not isinstance(reader, LongReader) or not (speaks or framed):
        return None
    return Transcriber(reader, answers, generator, run, task)


def whole(segments: Sequence[Answer]) -> Answer:
    """All segments of a sound as its transcript."""
    return {"text": " ".join(each["text"] for each in segments), "segments": list(segments)}
