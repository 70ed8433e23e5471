"""A torch-free plugin with two toy modalities: strings of numbers, and small pictures given as
arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import multigraft as mg
from multigraft.contracts.types import Arrays, Spec
from multigraft.models.tasks import classification_task

TOKENS = 1100


@dataclass(frozen=True)
class NumbersReader:
    """``"3 1 4"`` -> input_ids, attention_mask."""

    words: Mapping[str, int]

    @property
    def fills(self) -> Mapping[str, float]:
        return {"input_ids": 0, "attention_mask": 0, "token_type_ids": 0}

    def read(self, raw: Any) -> Arrays:
        text = " ".join(raw) if isinstance(raw, tuple) else raw
        try:
            ids = np.array([self.words[word] for word in text.split()], dtype=np.int64)
        except (AttributeError, KeyError) as error:
            raise mg.RowError(f"{raw!r} holds no known numbers") from error
        return {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }

    def windows(self, raw: Any) -> list[Arrays]:
        """Four numbers a window, three of them new."""
        words = self.read(raw) and raw.split()
        starts = range(0, max(1, len(words) - 1), 3)
        return [self.read(" ".join(words[start : start + 4])) for start in starts]

    def length(self, row: Arrays) -> int:
        return len(row["input_ids"])

    def spec(self) -> Spec:
        return {"kind": "numbers", "words.json": dict(self.words)}


@dataclass(frozen=True)
class PictureReader:
    """An array [3, 8, 8] of uint8 as it is."""

    @property
    def fills(self) -> Mapping[str, float]:
        return {}

    def read(self, raw: Any) -> Arrays:
        if np.shape(raw) != (3, 8, 8):
            raise mg.RowError(f"a picture has the shape (3, 8, 8), not {np.shape(raw)}")
        return {"pixel_values": np.asarray(raw, dtype=np.uint8)}

    def length(self, row: Arrays) -> int:
        return 1

    def spec(self) -> Spec:
        return {"kind": "picture"}


def numbers_reader(spec: Spec) -> NumbersReader:
    return NumbersReader(spec["words.json"])


def picture_reader(spec: Spec) -> PictureReader:
    return PictureReader()


@mg.hookimpl
def register_modalities() -> list[mg.Modality]:
    return [
        mg.Modality(name="numbers", reader=numbers_reader, columns=("text",)),
        mg.Modality(name="picture", reader=picture_reader, columns=("image",), suffixes=(".toy",)),
    ]


@mg.hookimpl
def register_tasks() -> list[mg.Task]:
    pretraining = mg.Task(
        name="numbers-pretraining",
        stage="pretrain",
        modalities=("numbers",),
        objective=mg.Lazy("multigraft.contracts.objectives:Objective"),
        answers="embedding",
    )
    return [
        classification_task("numbers-classification", "numbers"),
        classification_task("picture-classification", "picture"),
        pretraining,
    ]
