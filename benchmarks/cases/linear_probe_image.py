"""Training only the head on a frozen ResNet-50 for ten epochs, whole run, against the same by hand
on timm.

Random weights in a folder, `benchmarks.images` pictures at 160 pixels, no augmentation, batches of
32, AdamW at 1e-3 with linear fall after 10% warm-up, weight decay 0.01, clip 1.0, no dropout.
Other: timm's loader with four workers, bf16 where that is native, the backbone in evaluation mode
under ``no_grad``, a linear layer on its pooled features. Seconds of the whole run: from the first
file to the written model, nothing subtracted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import images
from benchmarks.cases.image_finetune import recipe
from benchmarks.harness import Case, Mode, Sample, Turn, at_least, stopwatch
from benchmarks.training import Settings, held_out_accuracy, ours, training_precision

ROWS = {"full": 320, "smoke": 64}
TEST = {"full": 1000, "smoke": 64}
ROUNDS = {"full": 3, "smoke": 1}
SETTINGS = Settings(epochs=10, learning_rate=1e-3)


def cases(mode: Mode, desk: Path) -> list[Case]:
    """The one row; none when quick, since on few pictures what is done once is all there is to
    see."""
    if mode == "quick":
        return []
    rows, test = ROWS[mode], TEST[mode]
    for name, count, seed in (("train", rows, 0), ("warm", 64, 2), ("test", test, 1)):
        images.write_pictures(desk / name, count, seed=seed)
    weights = _weights(desk / "resnet50")

    def we(turn: Turn) -> Sample:
        backbone = {"name": "resnet-50", "weights": str(weights)}
        raw = recipe(desk, turn, SETTINGS.of(turn), "none", backbone)
        done = ours({**raw, "strategy": "linear-probe"}, rows=64 if turn.warm else rows)
        accuracy = None if turn.warm else held_out_accuracy(done.model)
        return Sample(done.whole, accuracy, {"training s": done.steps}, test)

    def they(turn: Turn) -> Sample:
        with stopwatch() as seconds:
            model = _by_hand(desk, turn, weights)
        accuracy = None if turn.warm else images.accuracy(model, desk / "test", batch_size=32)
        return Sample(seconds[0], accuracy, held_out=test)

    return [
        Case(
            name="linear_probe_image",
            work=f"frozen ResNet-50 at 160 px, {rows} pictures, 10 epochs, whole run",
            other=f"timm, frozen under no_grad, 4 workers, {training_precision()}",
            unit="s",
            ours=we,
            theirs=they,
            rounds=ROUNDS[mode],
            bar=at_least(8.0),
            settings={"rows": rows, "strategy": "linear-probe", **SETTINGS.recipe()},
        )
    ]


def _weights(folder: Path) -> Path:
    """A folder in timm's hub format."""
    import timm
    import torch
    from timm.models import save_for_hf

    torch.manual_seed(0)
    save_for_hf(timm.create_model("resnet50", num_classes=0), str(folder), safe_serialization=True)
    return folder


def _by_hand(desk: Path, turn: Turn, weights: Path) -> Any:
    import timm
    import torch
    from safetensors.torch import load_file

    settings = SETTINGS.of(turn)
    torch.manual_seed(turn.number)
    backbone = timm.create_model("resnet50", num_classes=0)
    backbone.load_state_dict(load_file(weights / "model.safetensors"))
    model = _Probe(backbone.eval().requires_grad_(False), len(images.SHAPES))
    loaded = images.loader(
        desk / ("warm" if turn.warm else "train"), batch_size=settings.batch_size, train=True
    )
    images.train_by_hand(
        model,
        [loaded] * settings.epochs,
        steps=len(loaded) * settings.epochs,
        settings=settings,
        bf16=training_precision() == "bf16",
    )
    torch.save({"state_dict": model.state_dict()}, turn.folder / "last.pth.tar")
    return model


def _Probe(backbone: Any, classes: int) -> Any:
    from torch import Tensor, nn, no_grad

    class Probe(nn.Module):
        """A frozen backbone and a linear layer."""

        def __init__(self) -> None:
            super().__init__()
            self.backbone = backbone
            self.head = nn.Linear(backbone.num_features, classes)

        def forward(self, pictures: Tensor) -> Tensor:
            with no_grad():
                features = self.backbone(pictures)
            return self.head(features)

    return Probe()
