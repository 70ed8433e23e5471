"""Training only the head on a frozen BERT for ten epochs, whole run, against Trainer with the same
frozen.

MiniLM with its published weights and the rows of `benchmarks.texts` in its words, ten epochs,
batches of 32, AdamW at 1e-3, else as `text_finetune`; ours takes that rate on standardised
features, as always. Trainer: ``model.bert.requires_grad_(False)``, rows grouped by length, bf16
where that is native (its best flags here). Seconds of the whole run: from reading the file to the
written model, nothing subtracted.

Trainer groups in pools of 50 batches here, as it does by itself from 6,400 rows on
(`training.POOL`): on so few rows its own pools hardly group, and the padding would decide the
ratio.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.harness import Case, Mode, Sample, Turn, at_least
from benchmarks.texts import best_flags, minilm, ours, trainers
from benchmarks.training import HELD_OUT, Settings, training_precision

ROWS = {"full": 256, "quick": 64, "smoke": 64}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
SETTINGS = Settings(epochs=10, learning_rate=1e-3)


def cases(mode: Mode, desk: Path) -> list[Case]:
    """The one row."""
    found = minilm(desk, rows=ROWS[mode], test=HELD_OUT[mode])

    def we(turn: Turn) -> Sample:
        done, accuracy = ours(found, turn, SETTINGS, "linear-probe")
        return Sample(done.whole, accuracy, {"training s": done.steps}, HELD_OUT[mode])

    def they(turn: Turn) -> Sample:
        done, accuracy = trainers(found, turn, SETTINGS, freeze=_freeze, flags=best_flags())
        return Sample(done.whole, accuracy, {"training s": done.steps}, HELD_OUT[mode])

    return [
        Case(
            name="linear_probe_text",
            work=f"frozen MiniLM (6x384), {found.rows} texts, 10 epochs, whole run",
            other=f"Trainer, frozen, grouped by length (pools of 50), {training_precision()}",
            unit="s",
            ours=we,
            theirs=they,
            rounds=ROUNDS[mode],
            bar=at_least(8.0),
            settings={"rows": found.rows, "strategy": "linear-probe", **SETTINGS.recipe()},
        )
    ]


def _freeze(model: Any) -> None:
    model.bert.requires_grad_(False)
