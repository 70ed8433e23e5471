"""Answering pictures with a bundle, against timm and torch in eager fp32 on the same ResNet-50.

Random weights, `benchmarks.images` JPEG files, 224 pixels. Ours:
``mg.load(bundle, precision=...).predict(paths)`` at its defaults. Other: timm's own transform on Pillow,
batches of 32, ``inference_mode``. Decoding and resizing are in both; loading is not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import images
from benchmarks.answering import PRECISIONS, Ask, all_at_once, bundle_opener, exported
from benchmarks.harness import Case, Mode, Turn, at_least
from benchmarks.training import Settings

ROWS = {"full": 256, "quick": 64, "smoke": 32}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
BATCH, SIZE = 32, 224


def cases(mode: Mode, desk: Path) -> list[Case]:
    """Both precisions."""
    for name, count, seed in (("train", 64, 0), ("test", ROWS[mode], 1)):
        images.write_pictures(desk / name, count, seed=seed)
    model, bundle = exported(_recipe(desk))
    asked = sorted(str(path) for path in (desk / "test").rglob("*.jpg"))
    return [
        Case(
            name=f"predict_image_{precision}",
            work=f"ResNet-50 at {SIZE} px answers {len(asked)} JPEG files, {precision}",
            other=f"timm, eager fp32, batches of {BATCH}",
            unit="rows/s",
            ours=all_at_once(asked, bundle_opener(bundle, precision), _timm_opener(model)()),
            theirs=all_at_once(asked, _timm_opener(model)),
            rounds=ROUNDS[mode],
            bar=at_least(5.0) if precision == "int8" else None,
            settings={"rows": len(asked), "size": SIZE},
        )
        for precision in PRECISIONS
    ]


def _recipe(desk: Path) -> dict[str, Any]:
    turn = Turn(0, warm=False, folder=desk)
    return {
        "task": "image-classification",
        "backbone": {"name": "resnet-50", "weights": "scratch"},
        "data": {
            "train": str(desk / "train"),
            "test": str(desk / "test"),
            "split": {"validation": 0.0, "test": 0.0},
            "leakage": {"allowed": 1},
        },
        "reader": {"size": SIZE},
        "training": Settings(batch_size=8).recipe(),
        "evaluation": {"bootstrap": 0},
        "output": str(turn.folder / "run"),
    }


def _timm_opener(folder: Path) -> Callable[[], Ask]:
    """The saved network as timm's users call it."""

    def open_model() -> Ask:
        import timm
        import torch
        from PIL import Image
        from timm.data import create_transform, resolve_data_config

        model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
        transform = create_transform(**resolve_data_config(model=model), is_training=False)

        def ask(paths: list[str]) -> list[str]:
            found: list[str] = []
            for start in range(0, len(paths), BATCH):
                pictures = [
                    transform(Image.open(path).convert("RGB")) for path in paths[start : start + BATCH]
                ]
                with torch.inference_mode():
                    best = model(torch.stack(pictures)).argmax(-1)
                found += [images.SHAPES[index] for index in best.tolist()]
            return found

        return ask

    return open_model
