"""Teaching a T5 of 2 + 2 layers of 128 how words are said, against transformers' Trainer at its
defaults.

T5 with random weights (4 heads, 512), words of `benchmarks.letters`, a letter a token, batches of
64, four epochs, AdamW at 3e-3 with linear fall after 10% warm-up, weight decay 0.01, clip 1.0,
dropout 0.1. Trainer: random order, each batch padded to its longest row, fp32; Seq2SeqTrainer
differs from it in evaluation alone. Rows a second of training, as in `text_finetune`. Quality: one
less the error rate of sounds that greedy search writes for words that were not seen.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness import Case, Mode, Sample, Turn, at_least
from benchmarks.letters import ours, trainers, words
from benchmarks.training import Settings

ROWS = {"full": 16000, "quick": 2000, "smoke": 128}
HELD_OUT = {"full": 1000, "quick": 200, "smoke": 32}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
SETTINGS = Settings(epochs=4, batch_size=64, learning_rate=3e-3)


def cases(mode: Mode, desk: Path) -> list[Case]:
    """The one row."""
    found = words(desk, rows=ROWS[mode], test=HELD_OUT[mode])

    def we(turn: Turn) -> Sample:
        done, quality = ours(found, turn, SETTINGS)
        return Sample(done.rows / done.steps, quality, held_out=HELD_OUT[mode])

    def they(turn: Turn) -> Sample:
        done, quality = trainers(found, turn, SETTINGS)
        return Sample(done.rows / done.steps, quality, held_out=HELD_OUT[mode])

    return [
        Case(
            name="seq2seq_finetune",
            work=f"T5 of 2 + 2 x 128, {found.rows} words to sounds, 4 epochs, training only",
            other="Trainer, defaults",
            unit="rows/s",
            ours=we,
            theirs=they,
            rounds=ROUNDS[mode],
            bar=at_least(2.0),
            settings={"rows": found.rows, **SETTINGS.recipe()},
        )
    ]
