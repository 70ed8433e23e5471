"""What the engine adds to a training step, against a step written by hand on the library's own
model.

One row of the table for each plugin: a 6 x 384 BERT (batches of 8, 64 tokens a row), a ResNet-18 (8
pictures of 160 pixels, channels-last), a wav2vec2 of 4 x 256 (4 sounds of 1.5 seconds). After every
step of the engine the step by hand is taken on the very batch the engine had collated:
transformers' or timm's model in the same precision and memory format, fused AdamW with the same
groups, cross-entropy, clip 1.0, rate set from a schedule. Ours is the time from the end of one step
to the end of the next, so it holds reading, collating and logging; theirs is the step alone. The
first steps warm up and do not count. A round's value is the median of its steps.
"""

from __future__ import annotations

import csv
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import multigraft as mg
from benchmarks import images, sounds, texts
from benchmarks.cases.image_finetune import recipe as image_recipe
from benchmarks.harness import Case, Mode, Sample, Turn, at_least
from benchmarks.training import Settings, ours

STEPS = {"full": 33, "quick": 11, "smoke": 6}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
SKIPPED = 3
TOKENS = 64

Step = Callable[[Any, dict[str, Any]], Any]
"""The loss of a batch."""


class ByHand:
    """A plugin that watches the engine's steps and takes each again by hand, on a model of its
    own."""

    def __init__(
        self, build: Callable[[], Any], loss: Step, settings: Settings, steps: int
    ) -> None:
        self.build, self.loss, self.settings, self.steps = build, loss, settings, steps
        self.ours: list[float] = []
        self.theirs: list[float] = []
        self.model: Any = None

    @mg.hookimpl
    def step_end(self, run: Any, step: int) -> None:
        """Note the engine's time, take the step by hand, and let the engine's clock go on."""
        ended = time.perf_counter()
        if self.model is None:
            self._begin(run)
        else:
            self.ours.append(ended - self.since)
            self.theirs.append(self._step())
        self.since = time.perf_counter()

    def _begin(self, run: Any) -> None:
        """The first step is past: build the twin, and see the batches of the others."""
        import torch
        from transformers import get_linear_schedule_with_warmup

        self.model = self.build()
        parameters = list(self.model.parameters())
        groups = [
            {
                "params": [p for p in parameters if p.ndim >= 2],
                "weight_decay": self.settings.weight_decay,
            },
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=self.settings.learning_rate, fused=True)
        self.schedule = get_linear_schedule_with_warmup(self.optimizer, 0, self.steps)
        run.graft.register_forward_pre_hook(self._see)

    def _see(self, graft: Any, inputs: tuple[Any, ...]) -> None:
        self.batch = inputs[0]

    def _step(self) -> float:
        import torch

        started = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.model, self.batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        self.optimizer.step()
        self.schedule.step()
        loss.item()
        return time.perf_counter() - started


def cases(mode: Mode, desk: Path) -> list[Case]:
    """Text, image, audio."""
    return [_text(mode, desk / "text"), _image(mode, desk / "image"), _audio(mode, desk / "audio")]


def _text(mode: Mode, desk: Path) -> Case:
    import numpy as np

    settings = Settings(batch_size=8, warmup=0.0, learning_rate=1e-4)
    found = texts.corpus(_made(desk), rows=8, test=8)
    rng = np.random.default_rng(0)
    with found.train.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(texts.texts(8 * STEPS[mode], rng, np.full(8 * STEPS[mode], TOKENS)))

    def build() -> Any:
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification.from_pretrained(
            found.weights, num_labels=texts.TOPICS
        ).train()

    def loss(model: Any, batch: dict[str, Any]) -> Any:
        names = ("input_ids", "attention_mask", "token_type_ids")
        return model(**{name: batch[name] for name in names}, labels=batch["label"]).loss

    def raw(turn: Turn) -> dict[str, Any]:
        return texts.recipe(found, turn, settings)

    return _case("text", f"6x384 BERT, 8 rows of {TOKENS} tokens", mode, raw, build, loss, settings)


def _image(mode: Mode, desk: Path) -> Case:
    settings = Settings(batch_size=8, warmup=0.0, learning_rate=1e-4)
    for name, count in (("train", 8 * STEPS[mode]), ("test", 8)):
        images.write_pictures(desk / name, count, seed=0)

    def build() -> Any:
        import timm
        import torch

        model = timm.create_model("resnet18", num_classes=len(images.SHAPES)).train()
        return model.to(memory_format=torch.channels_last)

    def loss(model: Any, batch: dict[str, Any]) -> Any:
        import torch
        from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

        mean, std = (
            torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)
        )
        pictures = batch["image"].permute(0, 3, 1, 2).float() * (1 / (255 * std)) - mean / std
        return torch.nn.functional.cross_entropy(model(pictures), batch["label"])

    def raw(turn: Turn) -> dict[str, Any]:
        return image_recipe(
            desk, turn, settings, "none", {"name": "resnet-18", "weights": "scratch"}
        )

    return _case("image", "ResNet-18, 8 pictures of 160 px", mode, raw, build, loss, settings)


def _audio(mode: Mode, desk: Path) -> Case:
    settings = Settings(batch_size=4, warmup=0.0, learning_rate=1e-4)
    for name, count in (("train", 4 * STEPS[mode]), ("test", 4)):
        sounds.write_sounds(desk / name, count, seed=0, seconds=(1.5, 1.5))
    weights = sounds.write_wav2vec2(desk / "wav2vec2")

    def build() -> Any:
        return _speech_classifier(weights)

    def loss(model: Any, batch: dict[str, Any]) -> Any:
        from torch.nn.functional import cross_entropy

        return cross_entropy(model(batch["input_values"], batch["attention_mask"]), batch["label"])

    def raw(turn: Turn) -> dict[str, Any]:
        return sounds.recipe(desk / "train", desk / "test", weights, turn, settings)

    return _case(
        "audio", "wav2vec2 of 4 x 256, 4 sounds of 1.5 s", mode, raw, build, loss, settings
    )


def _case(
    modality: str,
    work: str,
    mode: Mode,
    raw: Callable[[Turn], dict[str, Any]],
    build: Callable[[], Any],
    loss: Step,
    settings: Settings,
) -> Case:
    taken: dict[int, list[float]] = {}

    def both(turn: Turn) -> tuple[list[float], list[float]]:
        watch = ByHand(build, loss, settings, STEPS[mode])
        ours(raw(turn), rows=STEPS[mode] * settings.batch_size, plugins=[watch])
        return watch.ours[SKIPPED:], watch.theirs[SKIPPED:]

    def we(turn: Turn) -> Sample:
        mine, taken[turn.number] = both(turn)
        return Sample(_milliseconds(mine))

    return Case(
        name=f"step_overhead_{modality}",
        work=f"{work}: a training step, median of {STEPS[mode] - 1 - SKIPPED}",
        other="by hand, same batches",
        unit="ms",
        ours=we,
        theirs=lambda turn: Sample(_milliseconds(taken[turn.number])),
        rounds=ROUNDS[mode],
        bar=at_least(0.98),
        settings={"steps": STEPS[mode], **settings.recipe()},
        warm=False,
        together=True,
    )


def _speech_classifier(weights: Path) -> Any:
    """transformers' encoder on normalised sounds, the mean of the real frames, a linear layer."""
    from torch import Tensor, nn
    from transformers import Wav2Vec2Model

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = Wav2Vec2Model.from_pretrained(weights)
            self.head = nn.Linear(self.encoder.config.hidden_size, len(sounds.COURSES))

        def forward(self, values: Tensor, mask: Tensor) -> Tensor:
            real = mask.to(values.dtype)
            count = real.sum(1, keepdim=True)
            centred = (values - (values * real).sum(1, keepdim=True) / count) * real
            values = centred / (centred.square().sum(1, keepdim=True) / count + 1e-7).sqrt()
            hidden = self.encoder(values, attention_mask=mask).last_hidden_state
            kept = self.encoder._get_feature_vector_attention_mask(hidden.shape[1], mask).unsqueeze(
                -1
            )
            return self.head((hidden * kept).sum(1) / kept.sum(1))

    return Classifier().train()


def _milliseconds(seconds: Iterable[float]) -> float:
    return 1000 * statistics.median(seconds)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
