"""A picture of 12,000 x 9,000 pixels is answered in tiles by a process under 1 GB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import multigraft as mg
from helpers.painted_objects import coco_folder
from helpers.scene_recipe import recipe

READER = {"size": 64, "crop": 0.1, "max_pixels": 120_000_000}
ASKED = """
import sys
import multigraft as mg
answer = mg.load(sys.argv[1]).predict(sys.argv[2])
told = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(type(answer).__name__, int(told["VmHWM"].split()[0]) * 1024)
"""
"""Its own peak: getrusage's counts what the process that began it had taken too."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's counters"),
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("large"), np.random.default_rng(0)
    few = rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
    large = Image.fromarray(few).resize((12_000, 9_000), Image.Resampling.BICUBIC)
    turned = Image.Exif()
    turned[0x0112] = 6
    large.save(folder / "plain.jpg", quality=90)
    large.save(folder / "turned.jpg", quality=90, exif=turned)
    large.save(folder / "plain.tif")
    large.save(folder / "lzw.tif", compression="tiff_lzw")
    return folder


@pytest.fixture(scope="module", params=["detection", "segmentation"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a network that saw a few pictures once."""
    folder = tmp_path_factory.mktemp(request.param)
    training = {"steps": 2, "batch_size": 8, "workers": 0, "learning_rate": 1e-3}
    export = {"precisions": ["fp32"], "rows": 4, "budget": 100}
    evaluation = {"split": "validation", "bootstrap": 0}
    asked = recipe(folder, reader=READER, training=training, export=export, evaluation=evaluation)
    if request.param == "detection":
        data = {"train": str(coco_folder(folder / "objects", 24)), "format": "coco"}
        task = {"name": "object-detection", "width": 32, "depth": 1}
        asked = {**asked, "task": task, "data": {**data, "leakage": {"near": False}}}
    return mg.finetune(asked).export().files["bundle"]


@pytest.mark.parametrize("name", ["plain.jpg", "turned.jpg", "plain.tif", "lzw.tif"])
def test_a_large_picture_is_answered_in_tiles_under_a_gigabyte(
    bundle: str, pictures: Path, name: str
) -> None:
    code = [sys.executable, "-W", "ignore", "-c", ASKED, bundle, str(pictures / name)]
    done = subprocess.run(code, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    peak = int(done.stdout.split()[1])
    print(f"{Path(bundle).parent.parent.name} {name}: {peak / 1e6:.0f} MB")
    assert peak < 1e9
