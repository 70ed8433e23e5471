"""Finetuning a ResNet-18 at 160 pixels, against timm's own loop.

Random weights, `benchmarks.images` pictures, batches of 32, AdamW at 1e-3 with linear fall after
10% warm-up, weight decay 0.01, clip 1.0, no dropout. Other: `timm.create_model`, `create_dataset`,
`create_loader` and a plain fp32 loop, as timm's train.py does by default (four workers, prefetcher,
contiguous memory).

Rows of the table: two epochs with light augmentation (the same on both sides) and without, as rows
a second of the whole run, from the first file to the written model, since we decode before the
first step and timm while it trains; and the pure step, as rows a second from the first step to the
last, with timm's batches made beforehand.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks import images
from benchmarks.harness import Case, Mode, Sample, Turn, at_least, stopwatch
from benchmarks.training import Settings, held_out_accuracy, ours

ROWS = {"full": 256, "quick": 64, "smoke": 64}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
SETTINGS = Settings(epochs=2, learning_rate=1e-3)
PURE = Settings(epochs=1, learning_rate=1e-3)


def cases(mode: Mode, desk: Path) -> list[Case]:
    """With augmentation; unless quick without it too, and the step alone."""
    rows = ROWS[mode]
    for name, count, seed in (
        ("train", rows, 0),
        ("warm", 64, 2),
        ("test", 256 if mode == "full" else 64, 1),
    ):
        images.write_pictures(desk / name, count, seed=seed)
    if mode == "quick":
        return [_whole(mode, desk, rows, "light")]
    return [
        *(_whole(mode, desk, rows, augment) for augment in ("light", "none")),
        _pure(mode, desk, rows),
    ]


def recipe(
    desk: Path, turn: Turn, settings: Settings, augment: str, backbone: Any
) -> dict[str, Any]:
    """Ours, complete."""
    return {
        "task": {"name": "image-classification", "dropout": 0.0},
        "backbone": backbone,
        "data": {
            "train": str(desk / ("warm" if turn.warm else "train")),
            "test": str(desk / "test"),
            "split": {"validation": 0.0, "test": 0.0},
            "leakage": {"allowed": 1},
        },
        "reader": {"size": images.SIZE},
        "training": {**settings.recipe(), "augment": augment},
        "evaluation": {"bootstrap": 0},
        "seed": turn.number,
        "output": str(turn.folder / "run"),
    }


def _whole(mode: Mode, desk: Path, rows: int, augment: str) -> Case:
    def we(turn: Turn) -> Sample:
        settings = SETTINGS.of(turn)
        raw = recipe(desk, turn, settings, augment, {"name": "resnet-18", "weights": "scratch"})
        done = ours(raw, rows=64 if turn.warm else rows)
        accuracy = None if turn.warm else held_out_accuracy(done.model)
        return Sample(done.rows / done.whole, accuracy, {"training rows/s": done.rows / done.steps})

    def they(turn: Turn) -> Sample:
        settings = SETTINGS.of(turn)
        with stopwatch() as seconds:
            model, seen = _timm(desk / ("warm" if turn.warm else "train"), turn, settings, augment)
        accuracy = (
            None
            if turn.warm
            else images.accuracy(model, desk / "test", batch_size=settings.batch_size)
        )
        return Sample(seen / seconds[0], accuracy)

    return Case(
        name=f"image_finetune_{augment}",
        work=f"ResNet-18 at 160 px, {rows} pictures, 2 epochs, augmentation {augment}, whole run",
        other="timm loop, 4 workers",
        unit="rows/s",
        ours=we,
        theirs=they,
        rounds=ROUNDS[mode],
        warm=augment == "light",  # the first of the rows
        bar=at_least(2.0),
        settings={"rows": rows, "augment": augment, **SETTINGS.recipe()},
    )


def _pure(mode: Mode, desk: Path, rows: int) -> Case:
    limit = 3 * _forward_gflop("resnet18")

    def we(turn: Turn) -> Sample:
        raw = recipe(desk, turn, PURE, "none", {"name": "resnet-18", "weights": "scratch"})
        done = ours(raw, rows=64 if turn.warm else rows)
        speed = done.rows / done.steps
        return Sample(speed, None, {"GFLOPS": speed * limit})

    def they(turn: Turn) -> Sample:
        folder = desk / ("warm" if turn.warm else "train")
        model = _model(turn)
        loaded = images.loader(folder, batch_size=PURE.batch_size, train=True)
        batches = [(pictures.clone(), labels.clone()) for pictures, labels in loaded]
        started = time.perf_counter()
        images.train_by_hand(model, [batches], steps=len(batches), settings=PURE)
        return Sample(len(batches) * PURE.batch_size / (time.perf_counter() - started))

    return Case(
        name="image_step",
        work=f"ResNet-18 at 160 px, {rows} pictures, 1 epoch, training steps only",
        other="timm loop on ready batches",
        unit="rows/s",
        ours=we,
        theirs=they,
        rounds=ROUNDS[mode],
        bar=at_least(2.0),
        settings={"rows": rows, **PURE.recipe()},
    )


def _timm(folder: Path, turn: Turn, settings: Settings, augment: str) -> tuple[Any, int]:
    import torch

    model = _model(turn)
    loaded = images.loader(folder, batch_size=settings.batch_size, train=True, augment=augment)
    images.train_by_hand(
        model, [loaded] * settings.epochs, steps=len(loaded) * settings.epochs, settings=settings
    )
    torch.save({"state_dict": model.state_dict()}, turn.folder / "last.pth.tar")
    return model, len(loaded) * settings.batch_size * settings.epochs


def _model(turn: Turn) -> Any:
    import timm
    import torch

    torch.manual_seed(turn.number)
    return timm.create_model("resnet18", num_classes=len(images.SHAPES)).train()


def _forward_gflop(name: str) -> float:
    """Of one picture."""
    import timm
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        timm.create_model(name).eval()(torch.zeros(1, 3, images.SIZE, images.SIZE))
    return counter.get_total_flops() / 1e9
