"""A model that hears a letter a second, as slowly as a test wants: bytes are its sound."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import multigraft as mg
from multigraft.runtime.asking import check_asked
from multigraft.runtime.serving.model import Model
from multigraft.runtime.transcribing.transcriber import Heard

ASKS = {"loud": mg.Option(default=False, help="in capitals")}


@dataclass
class Listener:
    """A transcriber: a window for each byte; a space is a window in which nothing is said, ``!``
    no sound, ``?`` a graph that breaks."""

    pause: float = 0.0
    """Seconds that a window takes."""
    windows_heard: int = 0
    closed: int = 0
    asks: Any = field(default_factory=lambda: ASKS)

    def check(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return check_asked(ASKS, asked, task="listening")

    def windows(self, raw: bytes, asked: Mapping[str, Any]) -> Iterator[Heard]:
        try:
            for second, letter in enumerate(raw.decode()):
                time.sleep(self.pause)
                self.windows_heard += 1
                yield Heard(second + 1, self._segments(second, letter, loud=asked["loud"]))
        finally:
            self.closed += 1

    def _segments(self, second: int, letter: str, *, loud: bool) -> list[dict[str, Any]]:
        if letter == "!":
            raise mg.RowError("holds no sound")
        if letter == "?":
            raise RuntimeError("a secret path: /somewhere")
        text = letter.upper() if loud else letter
        return [] if letter == " " else [{"start": second, "end": second + 1, "text": text}]


class Words(mg.Answers):
    """Answers that are no one number."""


@dataclass
class Ear:
    """Stands for a predictor: what `Model` asks of one that transcribes."""

    transcriber: Listener
    asks: Any = field(default_factory=dict)
    precision: str = "fp32"
    writer: None = None
    maker: Any = field(default_factory=Words)
    windows: bool = True
    reader: Any = None

    def __post_init__(self) -> None:
        self.bundle: Any = SimpleNamespace(
            **{"task": "listening", "named": "transcription", "modality": "text"},
            **{"backbone": "ear", "generation": None, "columns": ("text",), "targets": {}},
        )

    def warmup(self) -> None:
        """Nothing to allocate."""


def listener(name: str, *, pause: float = 0.0) -> tuple[Model, Listener]:
    """A model that listens, and its transcriber, which counts windows."""
    hears = Listener(pause)
    stands: Any = Ear(hears)
    sound = replace(mg.Catalog().modality("text"), columns=("audio",), suffixes=(".snd",))
    return Model(name, stands, sound), hears
