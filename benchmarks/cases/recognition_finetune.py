"""Teaching a small wav2vec2 to write what is said, by CTC, against transformers' Trainer at its
defaults.

`benchmarks.utterances`: 4 layers of width 256 on 7 convolutions of 256 channels, random weights,
everything learns; batches of 8, AdamW at 5e-4 with linear fall after 10% warm-up, weight decay
0.01, clip 1.0, dropout 0.1. Trainer: as transformers' script for CTC, random order, each batch
padded to its longest, fp32; its sounds lie decoded in memory. Rows a second of training: from the
first step to the last on both sides. Quality: one less the character error rate of greedy
decoding on held-out rows; from random weights so few steps end on CTC's plateau of blanks, on
both sides. ``BENCH_VOICES`` gives real sounds.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.harness import Case, Mode, Sample, Turn, at_least
from benchmarks.training import Settings
from benchmarks.utterances import ours, trainers, utterances

ROWS = {"full": 512, "quick": 64, "smoke": 16}
HELD_OUT = {"full": 64, "quick": 16, "smoke": 4}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
SETTINGS = Settings(batch_size=8)


def cases(mode: Mode, desk: Path) -> list[Case]:
    """The one row."""
    found = utterances(desk, rows=ROWS[mode], test=HELD_OUT[mode])
    kind = "real" if os.environ.get("BENCH_VOICES") else "made-up"

    def we(turn: Turn) -> Sample:
        done, quality = ours(found, turn, SETTINGS)
        return Sample(done.rows / done.steps, quality, held_out=HELD_OUT[mode])

    def they(turn: Turn) -> Sample:
        done, quality = trainers(found, turn, SETTINGS)
        return Sample(done.rows / done.steps, quality, held_out=HELD_OUT[mode])

    length = found.seconds / found.rows
    return [
        Case(
            name="recognition_finetune",
            work=f"wav2vec2 of 4 x 256 by CTC, {found.rows} {kind} sounds of {length:.1f} s, "
            "1 epoch, training only",
            other="Trainer, defaults",
            unit="rows/s",
            ours=we,
            theirs=they,
            rounds=ROUNDS[mode],
            bar=at_least(2.5),
            settings={"rows": found.rows, "sounds": kind, **SETTINGS.recipe()},
        )
    ]
