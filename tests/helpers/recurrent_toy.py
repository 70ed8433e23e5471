"""A torch-free plugin whose model writes digits, and remembers by a recurrence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import multigraft as mg
from multigraft.contracts.types import Arrays, Spec

PAD, END, FIRST = 0, 1, 2
VOCABULARY = 7


class DigitsReader:
    """``"4 0 2"`` -> tokens, closed by an end."""

    fills: Mapping[str, float] = {"input_ids": PAD, "attention_mask": 0}

    def read(self, raw: Any) -> Arrays:
        ids = np.append(self.prompt(raw), END)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    def length(self, row: Arrays) -> int:
        return len(row["input_ids"])

    def spec(self) -> Spec:
        return {"kind": "digits"}

    def prompt(self, raw: Any) -> np.ndarray:
        try:
            ids = np.array([int(word) + FIRST for word in raw.split()], dtype=np.int64)
        except (AttributeError, ValueError) as error:
            raise mg.RowError(f"{raw!r} holds no digits") from error
        if (ids >= VOCABULARY).any():
            raise mg.RowError("digits are 0 to 4")
        return ids

    def text(self, tokens: Sequence[int]) -> str:
        return " ".join(str(token - FIRST) for token in tokens if token >= FIRST)


def reader(spec: Spec) -> DigitsReader:
    return DigitsReader()


def spec_of(origin: mg.Origin, options: Mapping[str, Any]) -> Spec:
    return {"kind": "digits"}


def good(rng: np.random.Generator, count: int, folder: Path) -> list[str]:
    return [" ".join(map(str, rng.integers(0, 5, rng.integers(2, 9)))) for _ in range(count)]


@mg.hookimpl
def register_modalities() -> list[mg.Modality]:
    samples = mg.Samples(good=good, bad=lambda folder: ["seven", "8", 3])
    return [mg.Modality(name="digits", reader=reader, columns=("digits",), samples=samples)]


@mg.hookimpl
def register_backbones() -> list[mg.Backbone]:
    return [
        mg.Backbone(
            name="ssru",
            modality="digits",
            sizes={"tiny": mg.Size(config={"layers": 2})},
            build=mg.Lazy("helpers.recurrent_network:build"),
            reader=spec_of,
        )
    ]


@mg.hookimpl
def register_tasks() -> list[mg.Task]:
    return [
        mg.Task(
            name="digit-modeling",
            stage="pretrain",
            modalities=("digits",),
            objective=mg.Lazy("helpers.recurrent_network:DigitModeling"),
        )
    ]
