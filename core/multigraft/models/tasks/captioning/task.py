"""The record of captioning; importing it imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft.contracts.lazy import Lazy
from multigraft.contracts.records import Option, Task
from multigraft.models.tasks.writing_options import WRITING

PREFIX_LENGTH = 10
"""Vectors in front of a text (Mokady et al. 2021)."""


def captioning_task(name: str) -> Task:
    """A task that writes a text with one branch about what the others read."""
    return Task(
        name=name,
        stage="finetune",
        modalities=(),
        several=True,
        describes=True,
        columns=("caption",),
        writes="caption",
        objective=Lazy("multigraft.models.tasks.captioning.objective:Captioning"),
        row_objective=Lazy("multigraft.models.tasks.captioning.caption_rows:CaptionRows"),
        answers="caption",
        samples=samples,
        epochs=10.0,
        options={
            **WRITING,
            "prefix_length": Option(
                default=None,
                types=(int,),
                low=1,
                high=1024,
                help="vectors in front of the text of a language model; unset: "
                f"{PREFIX_LENGTH}; an encoder-decoder has none",
            ),
        },
    )


def samples(rng: np.random.Generator, raws: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """A caption of each of some values that may be of any kind."""
    counts, things = ("one", "two", "three"), ("circle", "square")
    said = ((counts[rng.integers(3)], things[rng.integers(2)]) for _ in raws)
    return {"caption": [f"{count} {thing}" for count, thing in said]}
