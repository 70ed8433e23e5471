"""Finetuning a 6 x 384 BERT, against transformers' Trainer at its defaults.

BERT from a configuration (30522 words, 12 heads, 1536), `benchmarks.texts` rows, batches of 32, one
epoch, AdamW at 5e-4 with linear fall after 10% warm-up, weight decay 0.01, clip 1.0, dropout 0.1.
Trainer: random order, each batch padded to its longest row, fp32. Rows a second of training: from
the first step to the last on both sides (ours: the report's cost; Trainer: ``train_runtime``). A
round's number is its seed; accuracy on 2,000 held-out rows (256, quick).
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness import Case, Mode, Sample, Turn, at_least
from benchmarks.texts import corpus, mean_tokens, ours, trainers
from benchmarks.training import HELD_OUT, Settings

ROWS = {"full": 1024, "quick": 96, "smoke": 64}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
WEIGHTS = 6 * 12 * 384 * 384
"""In the matrices of the blocks; the embeddings multiply nothing."""
SETTINGS = Settings()


def cases(mode: Mode, desk: Path) -> list[Case]:
    """The one row."""
    found = corpus(desk, rows=ROWS[mode], test=HELD_OUT[mode])
    gflop = 6 * WEIGHTS * mean_tokens(found.train) / 1e9

    def we(turn: Turn) -> Sample:
        done, accuracy = ours(found, turn, SETTINGS)
        speed = done.rows / done.steps
        return Sample(speed, accuracy, {"GFLOPS on real tokens": speed * gflop}, HELD_OUT[mode])

    def they(turn: Turn) -> Sample:
        done, accuracy = trainers(found, turn, SETTINGS)
        return Sample(done.rows / done.steps, accuracy, held_out=HELD_OUT[mode])

    return [
        Case(
            name="text_finetune",
            work=f"6x384 BERT, {found.rows} texts, 1 epoch, training only",
            other="Trainer, defaults",
            unit="rows/s",
            ours=we,
            theirs=they,
            rounds=ROUNDS[mode],
            bar=at_least(4.0),
            settings={"rows": found.rows, **SETTINGS.recipe()},
        )
    ]
