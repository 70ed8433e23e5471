"""A toy modality, reader and objective, so that the data room is tested without any plugin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multigraft.contracts.objectives import Objective
from multigraft.contracts.records import Modality
from multigraft.contracts.types import Arrays
from multigraft.errors import RowError


class LetterReader:
    """Letters as their code points; a digit cannot be read."""

    fills: Mapping[str, float] = {"codes": 0}

    def __init__(self) -> None:
        self.reads = 0

    def read(self, raw: Any) -> Arrays:
        self.reads += 1
        if not isinstance(raw, str):
            raise RowError(f"found {type(raw).__name__}; text is needed")
        if any(letter.isdigit() for letter in raw):
            raise RowError(f"{raw!r} holds a digit")
        return {"codes": np.array([ord(letter) for letter in raw], dtype=np.int64)}

    def length(self, row: Arrays) -> int:
        return len(row["codes"])

    def spec(self) -> dict[str, Any]:
        return {}


class LabelObjective(Objective):
    """The label as a number; every chance it is given is used."""

    monitor = "loss"
    greater_is_better = False

    def encode(self, row: Mapping[str, Any], arrays: Arrays) -> Arrays:
        if row["label"] is None:
            raise RowError("the label is missing")
        return {"label": np.asarray(int(row["label"]))}

    def view(self, row: Arrays, rng: np.random.Generator) -> Arrays:
        return {**row, "view": rng.random(2, dtype=np.float32)}

    def prepare(self, batch: Arrays, rng: np.random.Generator) -> Arrays:
        return {**batch, "noise": rng.random(len(batch["label"]), dtype=np.float32)}


@pytest.fixture
def text() -> Modality:
    return Modality(name="text", reader=lambda spec: LetterReader(), columns=("text", "text_pair"))


@pytest.fixture
def image() -> Modality:
    return Modality(
        name="image",
        reader=lambda spec: LetterReader(),
        columns=("image", "caption"),
        suffixes=(".png", ".jpg"),
    )


@pytest.fixture
def reader() -> LetterReader:
    return LetterReader()


@pytest.fixture
def objective() -> LabelObjective:
    return LabelObjective()


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose cache takes nothing."""
    monkeypatch.setenv("MULTIGRAFT_CACHE_GB", "0")


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    """40 good rows of text of many lengths, with labels 0 and 1."""
    words = ["abcdefghijklmnopqrst"[: 1 + (7 * number) % 20] for number in range(40)]
    path = tmp_path / "letters.csv"
    path.write_text(
        "text,label\n" + "".join(f"{word},{row % 2}\n" for row, word in enumerate(words))
    )
    return path
