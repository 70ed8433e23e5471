"""Generated sounds, a small wav2vec2 to learn them with, and both sides of its training.

A sound is a tone that rises, falls, stays or trembles (the label) under noise, at 16 kHz; its
length is drawn evenly from 0.5 to 8 seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.harness import Turn
from benchmarks.training import Settings, Trained, held_out_accuracy, theirs, trainer_accuracy
from benchmarks.training import ours as run_ours

RATE = 16_000
COURSES = ("falling", "rising", "steady", "trembling")


def write_sounds(
    folder: Path, count: int, *, seed: int, seconds: tuple[float, float] = (0.5, 8.0)
) -> Path:
    """WAV files ``folder/<course>/<number>.wav``, the courses in turn."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        course = COURSES[index % len(COURSES)]
        path = folder / course / f"{index:05d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, _sound(course, rng.uniform(*seconds), rng), RATE)
    return folder


def _sound(course: str, seconds: float, rng: np.random.Generator) -> np.ndarray:
    time = np.arange(int(RATE * seconds)) / RATE
    share = time / seconds
    octaves = {
        "falling": 1 - 2 * share,
        "rising": 2 * share - 1,
        "steady": np.zeros_like(share),
        "trembling": 0.7 * np.sin(2 * np.pi * 6 * time),
    }[course]
    pitch = 600 * rng.uniform(0.8, 1.25) * 2**octaves
    tone = np.sin(2 * np.pi * np.cumsum(pitch) / RATE)
    return (0.3 * tone + rng.normal(0, 0.05, len(time))).astype(np.float32)


def write_wav2vec2(folder: Path) -> Path:
    """Four layers of width 256 on seven convolutions of 256 channels, random, as transformers saves
    them.

    Layer-normed convolutions and an attention mask, as the published large ones, so that padding is
    masked on both sides; no layer drop and no SpecAugment.
    """
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    config = Wav2Vec2Config(
        hidden_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=1024,
        conv_dim=(256,) * 7,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        layerdrop=0.0,
        apply_spec_augment=False,
        mask_time_prob=0.0,
    )
    torch.manual_seed(0)
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    return folder


def recipe(
    train: Path, test: Path, weights: Path, turn: Turn, settings: Settings
) -> dict[str, Any]:
    """Ours, complete."""
    return {
        "task": {"name": "audio-classification", "dropout": 0.0},
        "backbone": {"name": "wav2vec2-base", "weights": str(weights)},
        "data": {
            "train": str(train),
            "test": str(test),
            "split": {"validation": 0.0, "test": 0.0},
            "leakage": {"allowed": 1},
        },
        "training": settings.recipe(),
        "evaluation": {"bootstrap": 0},
        "seed": turn.number,
        "output": str(turn.folder / "run"),
    }


def ours(
    train: Path, test: Path, weights: Path, turn: Turn, settings: Settings, *, rows: int
) -> tuple[Trained, float | None]:
    """Train; with the accuracy on the test rows."""
    done = run_ours(recipe(train, test, weights, turn, settings), rows=rows)
    return done, None if turn.warm else held_out_accuracy(done.model)


def trainers(
    train: Path, test: Path, weights: Path, turn: Turn, settings: Settings
) -> tuple[Trained, float | None]:
    """Train with transformers' Trainer; with the accuracy on the test rows.

    Sounds are decoded and normalised once and lie in memory as arrays; `Wav2Vec2FeatureExtractor`
    pads each batch to its longest.
    """
    from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification

    extractor = Wav2Vec2FeatureExtractor.from_pretrained(weights)

    def collate(rows: list[dict[str, Any]]) -> Any:
        import torch

        batch = extractor.pad(
            [{"input_values": row["input_values"]} for row in rows], return_tensors="pt"
        )
        batch["labels"] = torch.tensor([row["labels"] for row in rows])
        return batch

    done = theirs(
        lambda: Wav2Vec2ForSequenceClassification.from_pretrained(weights, num_labels=len(COURSES)),
        lambda: _read(train, extractor),
        settings=settings,
        folder=turn.folder,
        seed=turn.number,
        collator=collate,
        flags={"per_device_eval_batch_size": settings.batch_size, "remove_unused_columns": False},
        processor=extractor,
    )
    return done, None if turn.warm else trainer_accuracy(done.model, _read(test, extractor))


def _read(folder: Path, extractor: Any) -> list[dict[str, Any]]:
    rows = []
    for path in sorted(folder.glob("*/*.wav")):
        values, rate = soundfile.read(path, dtype="float32")
        read = extractor(values, sampling_rate=rate, return_tensors="np")
        rows.append(
            {"input_values": read["input_values"][0], "labels": COURSES.index(path.parent.name)}
        )
    return rows
