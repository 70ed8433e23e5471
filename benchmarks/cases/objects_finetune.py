"""A detector on a ResNet-18 at 160 pixels, from scratch, against torchvision's FCOS on the same
network.

`benchmarks.objects` pictures, batches of 16, AdamW at 1e-3 with linear fall after 10% warm-up,
weight decay 0.01, clip 1.0, no augmentation. Other: `FCOS(resnet_fpn_backbone("resnet18"))` at its
defaults (256 channels, four convolutions a tower, levels P3 to P7) and a plain fp32 loop on
pictures decoded before. Quality: average precision at an overlap of one half on held-out pictures,
computed alike of both sides' answers. Speed: rows a second of the whole run of ours, from the first
file to the written model, and of the loop alone of the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import objects
from benchmarks.harness import Case, Mode, Sample, Turn, stopwatch
from benchmarks.training import Settings, ours

ROWS = {"full": 512, "quick": 64, "smoke": 16}
HELD_OUT = {"full": 256, "quick": 32, "smoke": 8}
EPOCHS = {"full": 8, "quick": 1, "smoke": 1}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}


def cases(mode: Mode, desk: Path) -> list[Case]:
    """The whole run, with quality."""
    rows, settings = ROWS[mode], Settings(epochs=EPOCHS[mode], batch_size=16, learning_rate=1e-3)
    for name, count, seed in (
        ("train", rows, 0),
        ("warm", min(rows, 32), 2),
        ("test", HELD_OUT[mode], 1),
    ):
        objects.write_scenes(desk / name, count, seed=seed)
    held_out = objects.wanted(desk / "test")

    def we(turn: Turn) -> Sample:
        done = ours(recipe(desk, turn, settings.of(turn)), rows=32 if turn.warm else rows)
        quality = None if turn.warm else done.model.evaluate().metrics["ap50"].value
        facts = {"training rows/s": done.rows / done.steps}
        return Sample(done.rows / done.whole, quality, facts, held_out=len(held_out))

    def they(turn: Turn) -> Sample:
        loaded = objects.scenes(desk / ("warm" if turn.warm else "train"))
        model, own = objects.fcos(turn.number), settings.of(turn)
        with stopwatch() as seconds:
            objects.train_by_hand(model, loaded, settings=own, seed=turn.number)
        quality = None
        if not turn.warm:
            found = objects.detect(model, list(held_out))
            quality = objects.precision_at_half(found, list(held_out.values()))
        seen = own.epochs * len(loaded)
        return Sample(seen / seconds[0], quality, held_out=len(held_out))

    return [
        Case(
            name="objects_finetune",
            work=f"detector on a ResNet-18 at 160 px, {rows} pictures, {settings.epochs} epochs",
            other="torchvision's FCOS, plain loop",
            unit="rows/s",
            ours=we,
            theirs=they,
            rounds=ROUNDS[mode],
            settings={"rows": rows, **settings.recipe()},
        )
    ]


def recipe(desk: Path, turn: Turn, settings: Settings) -> dict[str, Any]:
    """Ours, complete."""
    return {
        "task": "object-detection",
        "backbone": {"name": "resnet-18", "weights": "scratch"},
        "data": {
            "train": str(desk / ("warm" if turn.warm else "train")),
            "test": str(desk / "test"),
            "format": "coco",
            "split": {"validation": 0.0, "test": 0.0},
            "leakage": {"allowed": 1},
        },
        "reader": {"size": objects.SIZE, "fit": "squash"},
        "training": settings.recipe(),
        "evaluation": {"bootstrap": 0},
        "seed": turn.number,
        "output": str(turn.folder / "run"),
    }
