"""A run that is killed with SIGKILL and resumed ends with the bits of the one left alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from samples import WRITERS

KILLS = 5
RECIPES: dict[str, dict[str, Any]] = {
    "text": {"task": "text-classification", "backbone": "bert-tiny", "strategy": "gradual-unfreezing"},
    "image": {"task": "image-contrastive", "backbone": "resnet-tiny"},
    "audio": {"task": "audio-classification", "backbone": "wav2vec2-tiny", "strategy": "lora"},
}
TRAINING = {
    "epochs": 2,
    "batch_size": 4,
    "accumulation": 2,
    "learning_rate": 1e-3,
    "checkpoint_every": 3,
    "log_every": 2,
}


class KillAt:
    """Ends the process at the end of a step, with no chance to tidy up."""

    def __init__(self, step: int) -> None:
        self.step = step

    @mg.hookimpl
    def step_end(self, run: mg.Run, step: int, logs: Mapping[str, float]) -> None:
        if step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def work(recipe: dict[str, Any], stage: str, kill_at: int | None) -> None:
    """One process of a run's life: it starts or goes on, and ends or is killed."""
    import torch

    torch.set_num_threads(1)
    plugins = [] if kill_at is None else [KillAt(kill_at)]
    if (Path(recipe["output"]) / "run.json").exists():
        mg.resume(recipe["output"], plugins=plugins)
    else:
        getattr(mg, stage)(recipe, plugins=plugins)


def live(recipe: dict[str, Any], stage: str, kill_at: int | None = None) -> int | None:
    """Run `work` in a process of its own, forked from one that has imported everything; its exit code."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["multigraft.engine", "transformers", "timm", "peft"])
    process = context.Process(target=work, args=(recipe, stage, kill_at))
    process.start()
    process.join(120)
    return process.exitcode


@pytest.mark.parametrize("modality", RECIPES)
def test_killed_five_times_it_ends_with_the_same_bits(modality: str, tmp_path: Path) -> None:
    data = WRITERS[modality](tmp_path, 80)
    base = {**RECIPES[modality], "data": str(data), "training": TRAINING, "seed": 3}
    stage = "pretrain" if base["task"] == "image-contrastive" else "finetune"
    calm, killed = ({**base, "output": str(tmp_path / name)} for name in ("calm", "killed"))
    assert live(calm, stage) == 0
    last = 16  # 64 training rows in steps of 8, twice
    steps = sorted(np.random.default_rng().choice(np.arange(1, last + 1), KILLS, replace=False).tolist())
    for step in steps:
        assert live(killed, stage, kill_at=step) == -signal.SIGKILL, steps
    assert live(killed, stage) == 0, steps
    first, second = (Path(recipe["output"]) for recipe in (calm, killed))
    for name in ("metrics.jsonl", *(str(p.relative_to(first)) for p in first.glob("model/*.safetensors"))):
        assert (first / name).read_bytes() == (second / name).read_bytes(), (name, steps)
