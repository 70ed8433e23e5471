from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import multigraft as mg
import multigraft_speech as speech
from helpers.spelled_sounds import texts, write_spelled
from helpers.whisper_toys import grow, origin, without_times


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    """A run of random weights that write much, exported."""
    folder = tmp_path_factory.mktemp("dictation")
    weights = without_times(grow(origin()), tmp_path_factory.mktemp("weights"))
    rng = np.random.default_rng(0)
    files = {
        split: str(write_spelled(folder, split, texts(rng, count, most=2), seed=count))
        for split, count in (("train", 8), ("validation", 4), ("test", 6))
    }
    recipe = {
        "task": {"name": "automatic-speech-recognition", "max_target_length": 12},
        "backbone": {"name": "whisper-micro", "weights": str(weights)},
        "data": {**files, "leakage": {"near": False, "allowed": 1}},
        "training": {"steps": 1, "batch_size": 4, "learning_rate": 1e-9, "precision": "fp32"},
        "strategy": {"name": "lora", "rank": 2},
        "evaluation": {"bootstrap": 10},
        "export": {"rows": 4, "budget": 1000, "repair": 0},
        "output": str(folder / "run"),
    }
    found = mg.Engine([speech], discover=False).start(recipe, "finetune")
    found.export()
    return found


@pytest.fixture
def bundle(run: mg.Run) -> Path:
    return run.folder / "bundle"
