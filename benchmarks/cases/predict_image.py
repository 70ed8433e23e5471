"""Answering pictures with a bundle, against timm and torch in eager mode on the same ResNet-50.

Random weights, so nothing is said about what int8 loses; `benchmarks.images` JPEG files, 224 pixels
(``--quick``: 160). Ours: ``mg.load(bundle, precision=...).predict(paths)`` at its defaults. Other:
timm's own transform on Pillow, batches of 32, ``inference_mode``: in fp32 as it comes, and at its
best, which is channels-last, under autocast where the processor multiplies bf16. Decoding and
resizing are in all; loading is not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import images
from benchmarks.answering import (
    PRECISIONS,
    Ask,
    all_at_once,
    bundle_opener,
    exported,
    fast_format,
    named,
)
from benchmarks.harness import Case, Mode, at_least
from benchmarks.training import Settings

ROWS = {"full": 256, "quick": 64, "smoke": 32}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
SIZE = {"full": 224, "quick": 160, "smoke": 160}
BATCH = 32
BARS = {("int8", "default"): at_least(5.0), ("int8", "best"): at_least(2.5)}


def cases(mode: Mode, desk: Path) -> list[Case]:
    """Both precisions, against timm's network as it comes and at its best."""
    for name, count, seed in (("train", 64, 0), ("test", ROWS[mode], 1)):
        images.write_pictures(desk / name, count, seed=seed)
    model, bundle = exported(_recipe(desk, SIZE[mode]))
    asked = sorted(str(path) for path in (desk / "test").rglob("*.jpg"))
    others: dict[str, tuple[str, Callable[[], Ask]]] = {
        "default": (f"timm, eager fp32, batches of {BATCH}", _timm_opener(model)),
        "best": (
            f"timm, eager, channels-last, {named(fast_format())}",
            _timm_opener(model, best=True),
        ),
    }
    expected = {"fp32": _timm_opener(model)(), "int8": None}
    return [
        Case(
            name=f"predict_image_{precision}_{name}",
            work=f"ResNet-50 at {SIZE[mode]} px answers {len(asked)} JPEG files, {precision}",
            other=other,
            unit="rows/s",
            ours=all_at_once(asked, bundle_opener(bundle, precision), expected[precision]),
            theirs=all_at_once(asked, opener),
            rounds=ROUNDS[mode],
            bar=BARS.get((precision, name)),
            settings={"rows": len(asked), "size": SIZE[mode]},
        )
        for precision in PRECISIONS
        for name, (other, opener) in others.items()
    ]


def _recipe(desk: Path, size: int) -> dict[str, Any]:
    return {
        "task": "image-classification",
        "backbone": {"name": "resnet-50", "weights": "scratch"},
        "data": {
            "train": str(desk / "train"),
            "test": str(desk / "test"),
            "split": {"validation": 0.0, "test": 0.0},
            "leakage": {"allowed": 1},
        },
        "reader": {"size": size},
        "training": Settings(batch_size=8).recipe(),
        "evaluation": {"bootstrap": 0},
        "output": str(desk / "run"),
    }


def _timm_opener(folder: Path, *, best: bool = False) -> Callable[[], Ask]:
    """The saved network as timm's users call it; or as those do who want it fast."""

    def open_model() -> Ask:
        import timm
        import torch
        from PIL import Image
        from timm.data import create_transform, resolve_data_config

        dtype = fast_format() if best else torch.float32
        layout = torch.channels_last if best else torch.contiguous_format
        model = (
            timm.create_model(f"local-dir:{folder}", pretrained=True)
            .eval()
            .to(memory_format=layout)
        )
        transform = create_transform(**resolve_data_config(model=model), is_training=False)

        def ask(paths: list[str]) -> list[str]:
            found: list[str] = []
            for start in range(0, len(paths), BATCH):
                pictures = [
                    transform(Image.open(path).convert("RGB"))
                    for path in paths[start : start + BATCH]
                ]
                batch = torch.stack(pictures).to(memory_format=layout)
                with (
                    torch.inference_mode(),
                    torch.autocast("cpu", dtype, enabled=dtype is torch.bfloat16),
                ):
                    likeliest = model(batch).argmax(-1)
                found += [images.SHAPES[index] for index in likeliest.tolist()]
            return found

        return ask

    return open_model
