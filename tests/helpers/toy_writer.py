"""A model that writes the letters of the alphabet one after another, as slowly as a test wants."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

import multigraft as mg
from multigraft.contracts.types import Arrays, Spec
from multigraft.runtime.bundle import Generation
from multigraft.runtime.generation.generator import Generator
from multigraft.runtime.generation.options import ASKS
from multigraft.runtime.serving.model import Model

LETTERS = "abcdefghijklmnopqrstuvwxyz"
PORTS = Generation(
    tokens="t", logits="logits", cache=(), pad=0, vocabulary=len(LETTERS), max_length=2000
)


@dataclass(frozen=True)
class Value:
    """An array as a session holds it."""

    array: np.ndarray

    def numpy(self) -> np.ndarray:
        return self.array


@dataclass
class Alphabet:
    """A decoder's step: behind each letter the next one; ``z`` breaks it."""

    pause: float = 0.0
    """Seconds that a step takes."""
    steps: int = 0

    def value(self, array: np.ndarray) -> Value:
        return Value(array)

    def chain(self, values: Mapping[str, Value]) -> dict[str, Any]:
        time.sleep(self.pause)
        self.steps += 1
        last = values["t"].numpy()[:, -1]
        if (last == len(LETTERS) - 1).any():
            raise RuntimeError("a secret path: /somewhere")
        logits = np.zeros((len(last), 1, len(LETTERS)), np.float32)
        logits[np.arange(len(last)), 0, np.minimum(last + 1, len(LETTERS) - 2)] = 9.0
        return {"logits": Value(logits)}


class Spelling:
    """Reads letters."""

    fills: Mapping[str, float] = {}

    def read(self, raw: Any) -> Arrays:
        raise AssertionError("a prompt is no row")

    def prompt(self, raw: Any) -> np.ndarray:
        if not isinstance(raw, str) or not set(raw) <= set(LETTERS) or not raw:
            raise mg.RowError("letters are needed")
        return np.array([LETTERS.index(letter) for letter in raw], dtype=np.int64)

    def text(self, tokens: Sequence[int]) -> str:
        return "".join(LETTERS[token] for token in tokens)

    def length(self, row: Arrays) -> int:
        return 1

    def spec(self) -> Spec:
        return {}


@dataclass
class Speller:
    """Stands for a predictor: what `Model` asks of one that writes."""

    graph: Alphabet = field(default_factory=Alphabet)
    asks: Any = field(default_factory=lambda: ASKS)
    precision: str = "fp32"
    reader: Any = field(default_factory=Spelling)
    transcriber: None = None

    def __post_init__(self) -> None:
        self.writer = Generator(PORTS, self.reader, {"decoder": self.graph})
        self.bundle: Any = SimpleNamespace(
            **{"task": "spelling", "named": "text", "modality": "text", "backbone": "alphabet"},
            **{"generation": PORTS, "columns": ("text",), "targets": {}},
        )

    def warmup(self) -> None:
        """Nothing to allocate."""


def speller(name: str, *, pause: float = 0.0) -> tuple[Model, Alphabet]:
    """A model that spells, and its graph, which counts its steps."""
    graph = Alphabet(pause)
    stands: Any = Speller(graph)
    text = replace(mg.Catalog().modality("text"), columns=("text",))
    return Model(name, stands, text), graph
