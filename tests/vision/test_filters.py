"""Filters of pictures, and folders of them that are prepared."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import multigraft as mg
from helpers.corpora import rows_of
from multigraft.contracts.filters import Dropped
from multigraft.contracts.options import defaults
from multigraft.errors import DataError
from multigraft.plugins.catalog import Catalog
from multigraft_vision.filters.examples import blurred, grey, sharp
from multigraft_vision.filters.judging import sharpness

CATALOG = Catalog()


def judged(name: str, raw: Any, **options: Any) -> Any:
    record = CATALOG.filter(name)
    assert record.judge is not None and record.opened is not None
    return record.judge({**defaults(record.options), **options})(record.opened(raw))


def verdict(name: str, raw: Any, **options: Any) -> str:
    found = judged(name, raw, **options)
    return found.why if isinstance(found, Dropped) else "kept"


@pytest.mark.parametrize(
    ("name", "raw", "said"),
    [
        ("image-tiny", np.zeros((32, 32, 3), np.uint8), "kept"),
        ("image-tiny", np.zeros((31, 64, 3), np.uint8), "a side below 32 pixels"),
        ("image-tiny", np.zeros((32, 320, 3), np.uint8), "kept"),
        ("image-tiny", np.zeros((32, 321, 3), np.uint8), "longer than 10 times a side"),
        ("image-blank", np.full((40, 40, 3), 9, np.uint8), "nearly of one brightness"),
        ("image-blank", sharp(), "kept"),
        ("image-blurred", sharp(), "kept"),
        ("image-blurred", blurred(), "no sharp edge"),
    ],
)
def test_verdicts(name: str, raw: np.ndarray, said: str) -> None:
    assert verdict(name, raw) == said


@pytest.mark.parametrize(
    ("name", "raw", "told"),
    [
        ("image-tiny", np.zeros((31, 64, 3), np.uint8), "64 x 31 pixels, a side below 32"),
        (
            "image-tiny",
            np.zeros((32, 321, 3), np.uint8),
            "321 x 32 pixels, longer than 10 times a side",
        ),
        (
            "image-blank",
            np.full((40, 40, 3), 9, np.uint8),
            "brightness from 9 to 9 of 255, less than 16 apart",
        ),
        ("image-blurred", np.zeros((40, 40, 3), np.uint8), "sharpness 0, below 20"),
    ],
)
def test_what_was_measured_is_told(name: str, raw: np.ndarray, told: str) -> None:
    found = judged(name, raw)
    assert isinstance(found, Dropped) and found.told == told


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    picture = np.random.default_rng(0).uniform(0, 255, (20, 30))
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    windows = np.lib.stride_tricks.sliding_window_view(picture, (3, 3))
    assert sharpness(picture) == pytest.approx(float((windows * kernel).sum((2, 3)).var()))
    assert sharpness(np.zeros((2, 9))) == 0


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of two classes: sharp pictures, a copy, one scaled, and one of each flaw."""
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(6):
            low = Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8))
            low.resize((96, 96), Image.Resampling.NEAREST).save(
                tmp_path / "photos" / label / f"{number}.png"
            )
    cats = tmp_path / "photos" / "cat"
    (cats / "7-copy.png").write_bytes((cats / "0.png").read_bytes())
    with Image.open(cats / "1.png") as picture:
        brighter = np.asarray(picture).clip(0, 250) + 3
        Image.fromarray(brighter.astype(np.uint8)).save(cats / "8-near.png")
    (cats / "9-broken.png").write_bytes((cats / "2.png").read_bytes()[:60])
    Image.fromarray(grey()).save(cats / "9-grey.png")
    Image.new("RGB", (8, 8)).save(cats / "9-tiny.png")
    return tmp_path / "photos"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_folder_of_pictures(photos: Path, tmp_path: Path, workers: int) -> None:
    found = mg.prepare(
        source=photos,
        modality="image",
        steps=["image-flaws", "exact-duplicates", "near-duplicates"],
        output=tmp_path / "out",
        workers=workers,
        quiet=True,
    )
    dropped = {each["name"]: sum(each["dropped"].values()) for each in found.manifest["steps"]}
    assert dropped == {
        "image-broken": 1,
        "image-tiny": 1,
        "image-blank": 1,
        "image-blurred": 0,
        "exact-duplicates": 1,
        "near-duplicates": 1,
    }
    rows = list(rows_of(found.folder / "train"))
    assert len(rows) == 12 and {row["label"] for row in rows} == {"cat", "dog"}
    assert rows[0]["image"] == "cat/0.png"
    page = found.page.read_text()
    # five that are kept, two pairs of duplicates, one tiny and one grey; the broken one has none
    assert page.count('<img src="data:image/jpeg;base64,') == 5 + 2 * 2 + 2
    assert "8 x 8 pixels, a side below 32" in page and "Kept instead: row 1, 96 x 96" in page
    assert set(re.findall('href="#(.*?)"', page)) == set(re.findall('id="(step-[0-9]+)"', page))


def test_its_shards_are_learned_from(photos: Path, tmp_path: Path) -> None:
    found = mg.prepare(
        source=photos,
        modality="image",
        steps="image-flaws",
        output=tmp_path / "out",
        quiet=True,
    )
    run = mg.finetune(
        task="image-classification",
        backbone="resnet-tiny",
        data={**found.data, "split": {"test": 0.2, "validation": 0.2}},
        training={"steps": 1, "batch_size": 4},
        output=tmp_path / "run",
        quiet=True,
    )
    assert run.facts["data"]["train"]["rows"] > 5


def test_where_no_file_is_found_a_whole_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rows = tmp_path / "in" / "rows.csv"
    rows.write_text("image,label\nin/a.png,a\nin/b.png,b\n")
    with pytest.raises(DataError) as refused:
        mg.prepare(
            source=rows, modality="image", steps="image-flaws", output=tmp_path / "out", quiet=True
        )
    said = str(refused.value)
    assert said.startswith("no row is left of 2: step 1, image-broken, drops most of them, 2, and")
    assert f"No such file or directory (row 1: {rows.parent}/in/a.png)" in said
    assert said.endswith(f"; relative names start in {rows.parent}")
