"""Tags of sounds on transformers that read a spectrogram: trained, exported, answered alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import multigraft as mg
import multigraft_speech as speech

RATE = 16_000
TAGS = {"low": 300.0, "high": 2000.0}


def write_tones(folder: Path, rows: int) -> Path:
    """Half a second each of a low tone, a high one, or both, under noise."""
    rng, lines = np.random.default_rng(0), []
    folder.mkdir()
    for number in range(rows):
        tags = [["low"], ["high"], ["low", "high"]][number % 3]
        time = np.arange(RATE // 2) / RATE
        tones = [np.sin(2 * np.pi * TAGS[tag] * rng.uniform(0.9, 1.1) * time) for tag in tags]
        sound = 0.2 * np.sum(tones, axis=0) + rng.normal(0, 0.02, len(time))
        soundfile.write(folder / f"{number}.wav", sound, RATE)
        lines.append(json.dumps({"audio": f"{number}.wav", "labels": tags}))
    (folder / "rows.jsonl").write_text("\n".join(lines))
    return folder / "rows.jsonl"


@pytest.mark.parametrize("backbone", ["ast-tiny", "whisper-micro"])
def test_tags_are_learned_and_answered_by_the_bundle(backbone: str, tmp_path: Path) -> None:
    recipe: dict[str, Any] = {
        "task": "audio-multilabel",
        "backbone": {"name": backbone, "weights": "scratch"},
        "data": {"train": str(write_tones(tmp_path / "tones", 24)), "leakage": {"near": False}},
        "training": {"steps": 4, "batch_size": 8, "precision": "fp32"},
        "evaluation": {"bootstrap": 10},
        "export": {"rows": 4, "budget": 1000, "repair": 0},
        "output": str(tmp_path / "run"),
    }
    run = mg.Engine([speech], discover=False).start(recipe, "finetune")
    run.export()
    predictor = mg.load(tmp_path / "run" / "bundle", precision="fp32")
    files = [str(tmp_path / "tones" / f"{number}.wav") for number in range(3)]
    for raw, answer in zip(files, predictor.predict(files), strict=True):
        assert answer["scores"].keys() == set(TAGS)
        alone = predictor.predict(raw)["scores"]
        assert answer["scores"] == pytest.approx(alone, abs=1e-5)
    assert set(predictor.labels) == set(TAGS)
