"""The class of every pixel learned on a ResNet-18 at 160 pixels, from scratch, against a plain loop
with SegFormer's head on the same network.

`benchmarks.masks` pictures, batches of 16, AdamW at 1e-3 with linear fall after 10% warm-up, weight
decay 0.01, clip 1.0, no augmentation. Ours: the task's own head. Other: fp32, on pictures decoded
before. Quality: mean overlap of the classes in the pixels of held-out pictures, computed alike of
both sides' answers. Speed: rows a second of the whole run of ours, from the first file to the
written model, and of the loop alone of the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import masks
from benchmarks.harness import Case, Mode, Sample, Turn, at_least, stopwatch
from benchmarks.objects import SIZE
from benchmarks.training import Settings, ours

ROWS = {"full": 512, "quick": 64, "smoke": 16}
HELD_OUT = {"full": 256, "quick": 32, "smoke": 8}
EPOCHS = {"full": 4, "quick": 1, "smoke": 1}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}


def cases(mode: Mode, desk: Path) -> list[Case]:
    """The whole run, with quality."""
    rows, settings = ROWS[mode], Settings(epochs=EPOCHS[mode], batch_size=16, learning_rate=1e-3)
    for name, count, seed in (
        ("train", rows, 0),
        ("warm", min(rows, 32), 2),
        ("test", HELD_OUT[mode], 1),
    ):
        masks.write_masks(desk / name, count, seed=seed)
    held_out = masks.true_masks(desk / "test" / masks.TABLE)

    def we(turn: Turn) -> Sample:
        done = ours(recipe(desk, turn, settings.of(turn)), rows=32 if turn.warm else rows)
        quality = None if turn.warm else done.model.evaluate().metrics["miou"].value
        facts = {"training rows/s": done.rows / done.steps}
        return Sample(done.rows / done.whole, quality, facts, held_out=len(held_out))

    def they(turn: Turn) -> Sample:
        table = desk / ("warm" if turn.warm else "train") / masks.TABLE
        model, own = masks.plain_network(turn.number), settings.of(turn)
        pixels, targets = masks.decoded(table)
        with stopwatch() as seconds:
            masks.train_by_hand(model, pixels, targets, settings=own, seed=turn.number)
        quality = None
        if not turn.warm:
            found = masks.label(model, list(held_out), batch=8)
            quality = masks.mean_overlap(found, list(held_out.values()))
        return Sample(own.epochs * len(pixels) / seconds[0], quality, held_out=len(held_out))

    return [
        Case(
            name="masks_finetune",
            work=f"segmenter on a ResNet-18 at {SIZE} px, {rows} pictures, "
            f"{settings.epochs} epochs",
            other="timm's maps and SegFormer's head, plain loop",
            unit="rows/s",
            ours=we,
            theirs=they,
            rounds=ROUNDS[mode],
            bar=at_least(1.5),
            settings={"rows": rows, **settings.recipe()},
        )
    ]


def recipe(desk: Path, turn: Turn, settings: Settings) -> dict[str, Any]:
    """Ours, complete."""
    return {
        "task": {"name": "semantic-segmentation", "classes": list(masks.CLASSES)},
        "backbone": {"name": "resnet-18", "weights": "scratch"},
        "data": {
            "train": str(desk / ("warm" if turn.warm else "train") / masks.TABLE),
            "test": str(desk / "test" / masks.TABLE),
            "split": {"validation": 0.0, "test": 0.0},
            "leakage": {"allowed": 1},
        },
        "reader": {"size": SIZE, "fit": "squash"},
        "training": settings.recipe(),
        "evaluation": {"bootstrap": 0},
        "seed": turn.number,
        "output": str(turn.folder / "run"),
    }
