"""Learning the entities of texts, against transformers' Trainer at its defaults.

MiniLM (6 x 384) with its published weights (``--quick``: the same network with random weights), the
texts of `benchmarks.entities`, batches of 32, one epoch, AdamW at 5e-4, else as `text_finetune`.
Trainer: as transformers' token classification script, random order, each batch padded to its
longest row, fp32. Rows a second of training, as in `text_finetune`. Quality: F1 of entities on
held-out texts, ours from the answers, theirs as seqeval counts.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import texts
from benchmarks.entities import ours, trainers
from benchmarks.harness import Case, Mode, Sample, Turn, at_least
from benchmarks.training import Settings

ROWS = {"full": 1024, "quick": 96, "smoke": 64}
HELD_OUT = {"full": 500, "quick": 128, "smoke": 32}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
SETTINGS = Settings()


def cases(mode: Mode, desk: Path) -> list[Case]:
    """The one row."""
    made = texts.minilm if mode == "full" else texts.corpus
    found = made(desk, rows=ROWS[mode], test=HELD_OUT[mode])
    words = texts.words_of(found.weights) if mode == "full" else texts.MADE_UP

    def we(turn: Turn) -> Sample:
        done, quality = ours(found, words, turn, SETTINGS)
        return Sample(done.rows / done.steps, quality, held_out=HELD_OUT[mode])

    def they(turn: Turn) -> Sample:
        done, quality = trainers(found, words, turn, SETTINGS)
        return Sample(done.rows / done.steps, quality, held_out=HELD_OUT[mode])

    return [
        Case(
            name="entities_finetune",
            work=f"6x384 BERT, entities of {found.rows} texts, 1 epoch, training only",
            other="Trainer, defaults",
            unit="rows/s",
            ours=we,
            theirs=they,
            rounds=ROUNDS[mode],
            bar=at_least(3.0),
            settings={"rows": found.rows, **SETTINGS.recipe()},
        )
    ]
