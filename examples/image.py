"""Answer an opaque picture with a bundle, without multigraft: python image.py BUNDLE picture.jpg"""

import json
import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps


def read(path: str, size: list[int], crop: float, interpolation: str, fit: str, **_) -> np.ndarray:
    """Resize and take the middle, as training did; scaling and normalising are in the graph."""
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    tall, wide = (int(side / crop) for side in size)
    if fit == "center":  # keep the aspect ratio; written for square models
        short, long = sorted(picture.size)
        longer = int(tall * long / short)
        wide, tall = (tall, longer) if picture.width <= picture.height else (longer, tall)
    picture = picture.resize((wide, tall), Image.Resampling[interpolation.upper()])
    top, left = round((tall - size[0]) / 2), round((wide - size[1]) / 2)
    return np.array(picture.crop((left, top, left + size[1], top + size[0])))


def main(folder: Path, path: str) -> None:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # unset, its makers are told of its use
    import onnxruntime

    bundle = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    file = bundle["precisions"][bundle["default"]]["file"]
    session = onnxruntime.InferenceSession(str(folder / file), providers=["CPUExecutionProvider"])
    pixels = read(path, **bundle["reader"])[None]
    (probabilities,) = session.run(["probabilities"], {"image": pixels})[0]
    scores = dict(zip(bundle["targets"]["labels"], map(float, probabilities), strict=True))
    print(json.dumps(dict(sorted(scores.items(), key=lambda pair: -pair[1]))))


main(Path(sys.argv[1]), sys.argv[2])
