"""Answering pictures with the class of every pixel, against a plain torch segmenter on the same
network.

Both learn as in `masks_finetune` (a ResNet-18 at 160 pixels, from scratch), then answer held-out
JPEG files of about 200 x 180 pixels with a map in the files' own pixels. Ours:
``mg.load(bundle, precision=...).predict(paths)`` at its defaults, the run lengths included; int8
went through the gate (not with ``--quick``). Other: eager, fp32, batches of 8, to a numpy map.
Decoding and resizing are in both; loading is not. Quality: mean overlap of the classes of the same
answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import masks
from benchmarks.answering import EXPORT, PRECISIONS, UNGATED, learned
from benchmarks.cases.masks_finetune import recipe
from benchmarks.harness import Case, Mode, Sample, Side, Turn, at_least, stopwatch
from benchmarks.objects import SIZE
from benchmarks.training import Settings

LEARNED = {"full": 512, "quick": 64, "smoke": 16}
ASKED = {"full": 256, "quick": 32, "smoke": 8}
EPOCHS = {"full": 4, "quick": 1, "smoke": 1}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
BATCH, FEW = 8, 8

Maps = Callable[[list[Path]], Callable[[], list[np.ndarray]]]
"""Answer files; what is given makes numbered maps of the answers, which takes no time of theirs."""


def cases(mode: Mode, desk: Path) -> list[Case]:
    """int8, for which there is a bar, and fp32."""
    for name, count, seed in (("train", LEARNED[mode], 0), ("test", ASKED[mode], 1)):
        masks.write_masks(desk / name, count, seed=seed)
    settings = Settings(epochs=EPOCHS[mode], batch_size=16, learning_rate=1e-3)
    turn = Turn(number=0, warm=False, folder=desk)
    export = EXPORT if mode == "full" else UNGATED  # fewer rows would tell nothing
    _, bundle = learned({**recipe(desk, turn, settings), "export": export})
    model = masks.plain_network(seed=0)
    pixels, targets = masks.decoded(desk / "train" / masks.TABLE)
    masks.train_by_hand(model, pixels, targets, settings=settings, seed=0)
    asked = masks.true_masks(desk / "test" / masks.TABLE)
    return [
        Case(
            name=f"predict_masks_{precision}",
            work=f"segmenter on a ResNet-18 at {SIZE} px answers {len(asked)} JPEG files, "
            f"{precision}",
            other=f"timm's maps and SegFormer's head, eager fp32, batches of {BATCH}",
            unit="rows/s",
            ours=_side(asked, lambda precision=precision: _ours(bundle, precision)),
            theirs=_side(asked, lambda: _theirs(model)),
            rounds=ROUNDS[mode],
            bar=at_least(4.0) if precision == "int8" else None,
            settings={"rows": len(asked), "learned": LEARNED[mode], **settings.recipe()},
        )
        for precision in PRECISIONS
    ]


def _ours(bundle: Path, precision: str) -> Maps:
    import multigraft as mg

    predictor = mg.load(bundle, precision=precision)

    def ask(paths: list[Path]) -> Callable[[], list[np.ndarray]]:
        answers = predictor.predict(list(map(str, paths)))
        return lambda: [_numbered(answer) for answer in answers]

    return ask


def _theirs(model: Any) -> Maps:
    def ask(paths: list[Path]) -> Callable[[], list[np.ndarray]]:
        found = masks.label(model, paths, batch=BATCH)
        return lambda: found

    return ask


def _numbered(answer: Mapping[str, Any]) -> np.ndarray:
    """The classes' numbers [H, W] of an answer's run lengths, as pycocotools reads them."""
    from pycocotools import mask

    found = np.zeros(answer["size"], np.uint8)
    for each in answer["segments"]:
        found[mask.decode(each["mask"]).astype(bool)] = masks.CLASSES.index(each["label"])
    return found


def _side(asked: Mapping[Path, np.ndarray], opener: Callable[[], Maps]) -> Side:
    """All files in one call, after a few."""

    def take(turn: Turn) -> Sample:
        paths = list(asked)[: FEW if turn.warm else None]
        ask = opener()
        ask(paths[:FEW])
        with stopwatch() as seconds:
            told = ask(paths)
        quality = masks.mean_overlap(told(), [asked[path] for path in paths])
        return Sample(len(paths) / seconds[0], quality, held_out=len(paths))

    return take
