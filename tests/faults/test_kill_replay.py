"""A run that is killed while it computes what it will replay ends with the bits of the one left alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from multigraft import cache
from samples import WRITERS

RECIPES: dict[str, dict[str, Any]] = {
    "text": {"task": "text-classification", "backbone": "bert-tiny", "strategy": "partial"},
    "image": {"task": "image-classification", "backbone": "resnet-tiny", "strategy": "linear-probe"},
    "audio": {"task": "audio-classification", "backbone": "logmel-tiny", "strategy": "partial"},
}
ROWS = 64
"""Training rows; each is computed once."""


def work(recipe: dict[str, Any], kill_after: int | None) -> None:
    """A run, killed when so many rows were written to the cache."""
    import torch

    from multigraft.replay import archive

    torch.set_num_threads(1)
    archive.PART = 4096
    if kill_after is not None:
        left = iter(range(kill_after))
        add = archive.StoreWriter.add

        def deadly(store: Any, row: Any) -> int:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return add(store, row)

        archive.StoreWriter.add = deadly  # type: ignore[method-assign]
    if (Path(recipe["output"]) / "run.json").exists():
        mg.resume(recipe["output"])
    else:
        mg.finetune(recipe)


def live(recipe: dict[str, Any], folder: Path, kill_after: int | None = None) -> int | None:
    """`work` in a process of its own with its own cache; its exit code."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["multigraft.engine", "transformers", "timm", "peft"])
    process = context.Process(target=in_cache, args=(str(folder), recipe, kill_after))
    process.start()
    process.join(120)
    return process.exitcode


def in_cache(folder: str, recipe: dict[str, Any], kill_after: int | None) -> None:
    os.environ[cache.FOLDER] = folder
    work(recipe, kill_after)


@pytest.mark.parametrize("modality", RECIPES)
def test_killed_while_computing_it_ends_with_the_same_bits(modality: str, tmp_path: Path) -> None:
    data = WRITERS[modality](tmp_path, 80)
    training = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "checkpoint_every": 3}
    base = {**RECIPES[modality], "data": str(data), "training": training, "seed": 3}
    calm, killed = ({**base, "output": str(tmp_path / name)} for name in ("calm", "killed"))
    assert live(calm, tmp_path / "calm-cache") == 0
    points = np.random.default_rng().integers(0, ROWS // 4, 3).tolist()
    for point in points:
        assert live(killed, tmp_path / "killed-cache", kill_after=point) == -signal.SIGKILL, points
    assert live(killed, tmp_path / "killed-cache") == 0, points
    first, second = (Path(recipe["output"]) for recipe in (calm, killed))
    for name in ("metrics.jsonl", *(str(p.relative_to(first)) for p in first.glob("model/*.safetensors"))):
        assert (first / name).read_bytes() == (second / name).read_bytes(), (name, points)
