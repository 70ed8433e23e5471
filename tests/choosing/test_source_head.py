"""The classifier of weights is asked alike, whether it is a run's or that of a library's file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import multigraft as mg
from helpers.samples import write_images, write_texts


@pytest.mark.parametrize(
    ("task", "backbone", "write", "library"),
    [
        ("text-classification", "bert-tiny", write_texts, "transformers"),
        ("image-classification", "resnet-tiny", write_images, "timm"),
    ],
)
def test_a_librarys_file_brings_the_classifier_of_its_run(
    tmp_path: Path,
    task: str,
    backbone: str,
    write: Callable[[Path, int], Path],
    library: str,
) -> None:
    data = write(tmp_path, 40)
    run = mg.finetune(
        task=task,
        backbone={"name": backbone, "weights": "scratch"},
        data=str(data),
        training={"epochs": 1, "learning_rate": 1e-3},
        output=str(tmp_path / "run"),
        quiet=True,
    )
    shutil.copytree(run.folder / "model", tmp_path / library)
    (tmp_path / library / "head.safetensors").unlink()
    ranking = mg.choose(
        {"task": task, "data": str(data)},
        among={
            "run": {"name": backbone, "weights": str(run.folder)},
            "library": {"name": backbone, "weights": str(tmp_path / library)},
            "scratch": {"name": backbone, "weights": "scratch"},
        },
        quiet=True,
    )
    found = {each.name: each for each in ranking.backbones}
    assert found["scratch"].classes is None
    assert found["run"].classes == found["library"].classes == 2
    for score in ("leep", "nce", "logme"):
        np.testing.assert_allclose(
            found["library"].scores[score], found["run"].scores[score], atol=1e-4
        )
