"""Answering pictures with the objects in them, against torchvision's FCOS on the same network.

Both detectors learn as in `objects_finetune` (a ResNet-18 at 160 pixels, from scratch), then answer
held-out JPEG files of about 200 x 180 pixels with boxes in the files' own pixels. Ours:
``mg.load(bundle, precision=...).predict(paths)`` at its defaults; int8 went through the gate (not
with ``--quick``). Other: torchvision's detector at its defaults, eager, fp32, batches of 8.
Decoding, resizing and the suppression of doubles are in both; loading is not. Quality: average
precision at an overlap of one half of the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import objects
from benchmarks.answering import EXPORT, PRECISIONS, UNGATED, learned
from benchmarks.cases.objects_finetune import recipe
from benchmarks.harness import Case, Mode, Sample, Side, Turn, at_least, stopwatch
from benchmarks.training import Settings

LEARNED = {"full": 512, "quick": 64, "smoke": 16}
ASKED = {"full": 256, "quick": 32, "smoke": 8}
EPOCHS = {"full": 8, "quick": 1, "smoke": 1}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
BATCH, FEW = 8, 8

Objects = list[list[dict[str, Any]]]


def cases(mode: Mode, desk: Path) -> list[Case]:
    """int8, for which there is a bar, and fp32."""
    for name, count, seed in (("train", LEARNED[mode], 0), ("test", ASKED[mode], 1)):
        objects.write_scenes(desk / name, count, seed=seed)
    settings = Settings(epochs=EPOCHS[mode], batch_size=16, learning_rate=1e-3)
    turn = Turn(number=0, warm=False, folder=desk)
    export = EXPORT if mode == "full" else UNGATED  # fewer rows would tell nothing
    _, bundle = learned({**recipe(desk, turn, settings), "export": export})
    theirs = objects.fcos(seed=0)
    objects.train_by_hand(theirs, objects.scenes(desk / "train"), settings=settings, seed=0)
    asked = objects.wanted(desk / "test")
    return [
        Case(
            name=f"predict_objects_{precision}",
            work=f"detector on a ResNet-18 at 160 px answers {len(asked)} JPEG files, {precision}",
            other=f"torchvision's FCOS, eager fp32, batches of {BATCH}",
            unit="rows/s",
            ours=_side(asked, _bundle_opener(bundle, precision)),
            theirs=_side(asked, lambda: lambda paths: objects.detect(theirs, paths, batch=BATCH)),
            rounds=ROUNDS[mode],
            bar=at_least(4.0) if precision == "int8" else None,
            settings={"rows": len(asked), "learned": LEARNED[mode], **settings.recipe()},
        )
        for precision in PRECISIONS
    ]


def _bundle_opener(bundle: Path, precision: str) -> Callable[[], Callable[[list[Path]], Objects]]:
    def open_bundle() -> Callable[[list[Path]], Objects]:
        import multigraft as mg

        predictor = mg.load(bundle, precision=precision)
        return lambda paths: [each["objects"] for each in predictor.predict(list(map(str, paths)))]

    return open_bundle


def _side(
    asked: Mapping[Path, list[dict[str, Any]]],
    opener: Callable[[], Callable[[list[Path]], Objects]],
) -> Side:
    """All files in one call, after a few."""

    def take(turn: Turn) -> Sample:
        paths = list(asked)[: FEW if turn.warm else None]
        ask = opener()
        ask(paths[:FEW])
        with stopwatch() as seconds:
            answers = ask(paths)
        quality = objects.precision_at_half(answers, [asked[path] for path in paths])
        return Sample(len(paths) / seconds[0], quality, held_out=len(paths))

    return take
