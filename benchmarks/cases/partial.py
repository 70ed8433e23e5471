"""Training the top blocks of a BERT for ten epochs, whole run, against Trainer with the same layers
frozen.

The top 2 of 6 blocks (not when quick), and the top 1 of 12, of a BERT of width 384, on the rows of
`benchmarks.texts`; ten epochs, batches of 32, AdamW at 5e-4, else as `text_finetune`. On both sides
the last blocks, the pooler and the classifier learn. The 6 blocks are MiniLM's with their published
weights, the 12 are random. Trainer: rows grouped by length, bf16 where that is native (its best
flags here). Seconds of the whole run: from reading the file to the written model, nothing
subtracted.

Trainer groups in pools of 50 batches here, as it does by itself from 6,400 rows on
(`training.POOL`): on so few rows its own pools hardly group, and the padding would decide the
ratio.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.harness import Case, Mode, Sample, Turn, at_least
from benchmarks.texts import best_flags, corpus, minilm, ours, trainers
from benchmarks.training import HELD_OUT, Settings, training_precision

ROWS = {"full": 128, "quick": 32, "smoke": 64}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
SETTINGS = Settings(epochs=10)
REAL = 6
"""Blocks of MiniLM, whose published weights are used where the shape is theirs."""


def cases(mode: Mode, desk: Path) -> list[Case]:
    """2 of 6 (but when quick), and 1 of 12."""
    shapes = [(1, 12, 4.0)] if mode == "quick" else [(2, 6, 1.5), (1, 12, 4.0)]
    return [
        _case(mode, desk, learning=learning, layers=layers, bar=bar)
        for learning, layers, bar in shapes
    ]


def _case(mode: Mode, desk: Path, *, learning: int, layers: int, bar: float) -> Case:
    desk = desk / str(layers)
    desk.mkdir()
    rows, test = ROWS[mode], HELD_OUT[mode]
    made_up = corpus(desk, rows=rows, test=test, layers=layers) if layers != REAL else None
    found = made_up or minilm(desk, rows=rows, test=test)
    strategy = {"name": "partial", "blocks": learning}

    def freeze(model: Any) -> None:
        model.bert.embeddings.requires_grad_(False)
        model.bert.encoder.layer[: layers - learning].requires_grad_(False)

    def we(turn: Turn) -> Sample:
        done, accuracy = ours(found, turn, SETTINGS, strategy)
        return Sample(done.whole, accuracy, {"training s": done.steps}, HELD_OUT[mode])

    def they(turn: Turn) -> Sample:
        done, accuracy = trainers(found, turn, SETTINGS, freeze=freeze, flags=best_flags())
        return Sample(done.whole, accuracy, {"training s": done.steps}, HELD_OUT[mode])

    return Case(
        name=f"partial_{learning}_of_{layers}",
        work=f"top {learning} of {layers} blocks of a BERT (384), {found.rows} texts, 10 epochs, "
        "whole run",
        other=f"Trainer, same frozen, grouped by length (pools of 50), {training_precision()}",
        unit="s",
        ours=we,
        theirs=they,
        rounds=ROUNDS[mode],
        bar=at_least(bar),
        settings={"rows": found.rows, "strategy": strategy, **SETTINGS.recipe()},
    )
