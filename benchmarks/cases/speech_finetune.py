"""Finetuning a small wav2vec2 on sounds of 0.5 to 8 seconds, against transformers' Trainer at its
defaults.

`benchmarks.sounds`: 4 layers of width 256 on 7 convolutions of 256 channels, random weights,
everything learns; batches of 8, one epoch, AdamW at 5e-4 with linear fall after 10% warm-up, weight
decay 0.01, clip 1.0, dropout 0.1 in the network. Trainer: random order, `Wav2Vec2FeatureExtractor`
pads each batch to its longest, fp32; its sounds lie decoded in memory. Rows a second of training:
from the first step to the last on both sides (ours: the report's cost; Trainer: ``train_runtime``),
decoding left out on both. A round's number is its seed.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import sounds
from benchmarks.harness import Case, Mode, Sample, Turn, at_least
from benchmarks.training import Settings

ROWS = {"full": 64, "quick": 16, "smoke": 16}
TEST = {"full": 16, "quick": 4, "smoke": 4}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
WARM_ROWS = 8
SETTINGS = Settings(batch_size=8)


def cases(mode: Mode, desk: Path) -> list[Case]:
    """The one row."""
    rows = ROWS[mode]
    for name, count, seed in (("train", rows, 0), ("warm", WARM_ROWS, 2), ("test", TEST[mode], 1)):
        sounds.write_sounds(desk / name, count, seed=seed)
    weights = sounds.write_wav2vec2(desk / "wav2vec2")

    def train(turn: Turn) -> Path:
        return desk / ("warm" if turn.warm else "train")

    def we(turn: Turn) -> Sample:
        count = WARM_ROWS if turn.warm else rows
        done, accuracy = sounds.ours(
            train(turn), desk / "test", weights, turn, SETTINGS, rows=count
        )
        return Sample(done.rows / done.steps, accuracy)

    def they(turn: Turn) -> Sample:
        done, accuracy = sounds.trainers(train(turn), desk / "test", weights, turn, SETTINGS)
        return Sample(done.rows / done.steps, accuracy)

    return [
        Case(
            name="speech_finetune",
            work=f"wav2vec2 of 4 x 256, {rows} sounds of 0.5 to 8 s, 1 epoch, training only",
            other="Trainer, defaults",
            unit="rows/s",
            ours=we,
            theirs=they,
            rounds=ROUNDS[mode],
            bar=at_least(2.5),
            settings={"rows": rows, **SETTINGS.recipe()},
        )
    ]
