"""A third party's plugin of two branches: texts with spans in them, beside grey pictures with
masks.

Its modalities and backbones are those of `span_toy` and `greys`. Torch-free but for what it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import multigraft as mg
from helpers import greys, span_toy
from multigraft.contracts.types import Answer, Spec


class Marks(mg.Answers):
    """``{"spans": [...], "mask": "011/010"}``: the spans in the text, the shape on the picture."""

    asks = span_toy.Spans.asks

    def __init__(self, targets: Spec) -> None:
        self._spans = span_toy.Spans(targets)

    def answer(self, raw: Any, windows: Sequence[mg.Window], asked: Mapping[str, Any]) -> Answer:
        """What a row lacks is not answered."""
        (window,) = windows
        answer: Answer = {}
        if "words" in raw:
            row = {"places": window.row["words.places"]}
            words = mg.Window(row, {"logits": window.outputs["tags"]}, len(row["places"]))
            answer |= self._spans.answer(raw["words"], [words], asked)
        if "grey" in raw:
            tall, wide = window.row["grey.pixels"].shape
            answer["mask"] = greys.typed(window.outputs["pixels"][:, :tall, :wide].argmax(0))
        return answer

    def score(self, answer: Answer, row: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        return self._spans.score({"spans": answer.get("spans", [])}, row)

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        return self._spans.summarise(kept)


def samples(rng: np.random.Generator, raws: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """The spans of each text, and the shape on each picture."""
    return {
        **span_toy.samples(rng, [raw["words"] for raw in raws]),
        "mask": greys.cells(rng, [raw["grey"] for raw in raws])["mask"],
    }


def rows(count: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of a table: a text with its spans, a picture with its mask."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        text, spans = span_toy.made(rng, int(rng.integers(3, 10)))
        picture = greys.drawn(rng)[0]
        mask = greys.typed(greys.shape_of(picture))
        found.append({"words": text, "spans": spans, "grey": greys.typed(picture), "mask": mask})
    return found


@mg.hookimpl
def register_modalities() -> list[mg.Modality]:
    return [*span_toy.register_modalities(), *greys.register_modalities()]


@mg.hookimpl
def register_backbones() -> list[mg.Backbone]:
    return [*span_toy.register_backbones(), *greys.register_backbones()]


@mg.hookimpl
def register_tasks() -> list[mg.Task]:
    return [
        mg.Task(
            name="marks",
            stage="finetune",
            modalities=("words", "grey"),
            several=True,
            columns=("spans", "mask"),
            reader={"places": True},
            targets=span_toy.label_spec,
            objective=mg.Lazy("helpers.captioned_network:Marking"),
            answers=Marks,
            samples=samples,
        )
    ]
