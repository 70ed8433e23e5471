"""Finetuning the same BERT on the same rows, against transformers' Trainer with its best flags.

All as in `text_finetune`, but Trainer groups rows by length (``train_sampling_strategy=
"group_by_length"``), in one row of the table without ``bf16=True`` and, where the processor
multiplies bf16, in one with it; elsewhere that would be several times slower. The row that counts
is the one in which Trainer is faster.

Trainer groups in pools of 50 batches here, as it does by itself from 6,400 rows on
(`training.POOL`): on so few rows its own pools hardly group, and the padding would decide the
ratio.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.cases.text_finetune import SETTINGS
from benchmarks.harness import Case, Mode, Sample, Turn, at_least
from benchmarks.texts import Corpus, best_flags, corpus, ours, trainers
from benchmarks.training import HELD_OUT

ROWS = {"full": 1024, "quick": 96, "smoke": 64}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}


def cases(mode: Mode, desk: Path) -> list[Case]:
    """Grouped in fp32, and grouped in bf16 where that is native."""
    from multigraft.system.compute.precision import native_bf16

    return [
        _case(mode, desk / each, each) for each in ("fp32", *(["bf16"] if native_bf16() else []))
    ]


def _case(mode: Mode, desk: Path, precision: str) -> Case:
    desk.mkdir()
    found = corpus(desk, rows=ROWS[mode], test=HELD_OUT[mode])
    flags = {**best_flags(), "bf16": precision == "bf16"}
    return Case(
        name=f"text_finetune_best_{precision}",
        work=f"6x384 BERT, {found.rows} texts, 1 epoch, training only",
        other=f"Trainer, grouped by length (pools of 50), {precision}",
        unit="rows/s",
        ours=lambda turn: _we(found, turn, HELD_OUT[mode]),
        theirs=lambda turn: _they(found, turn, HELD_OUT[mode], flags),
        rounds=ROUNDS[mode],
        bar=at_least(1.25),
        settings={"rows": found.rows, **SETTINGS.recipe(), "flags": flags},
    )


def _we(found: Corpus, turn: Turn, held_out: int) -> Sample:
    done, accuracy = ours(found, turn, SETTINGS)
    return Sample(done.rows / done.steps, accuracy, held_out=held_out)


def _they(found: Corpus, turn: Turn, held_out: int, flags: dict[str, object]) -> Sample:
    done, accuracy = trainers(found, turn, SETTINGS, flags=flags)
    return Sample(done.rows / done.steps, accuracy, held_out=held_out)
