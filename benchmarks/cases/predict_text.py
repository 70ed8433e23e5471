"""Answering texts with a bundle, against `transformers.pipeline` on the same finetuned model.

MiniLM (6 x 384) with its published weights, finetuned for an epoch on 512 texts of
`benchmarks.texts` (``--quick``: the same network with random weights, and no gate); its int8 graph
is the one that the gate accepted at the default budget. Ours: ``mg.load(bundle,
precision=...).predict(texts)`` at its defaults: batches of like length, as large as the export
measured to be fastest. The pipeline in fp32: with ``batch_size=32``, and at its defaults, which
answer row by row; and at its best: 32 texts of like length, under autocast where the processor
multiplies bf16. Ours gives every label's score, the pipeline the best one's; loading is left out.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import texts
from benchmarks.answering import (
    PRECISIONS,
    Ask,
    all_at_once,
    bundle_opener,
    exported,
    fast_format,
    learned,
    named,
)
from benchmarks.harness import Case, Mode, Turn, at_least
from benchmarks.training import Settings

ROWS = {"full": 512, "quick": 128, "smoke": 48}
ROUNDS = {"full": 5, "quick": 1, "smoke": 1}
NETWORKS = {"full": "MiniLM", "quick": "6x384 BERT", "smoke": "6x384 BERT"}
LEARNED = 512
BATCH = 32
SETTINGS = Settings(learning_rate=2e-4)
BARS = {("int8", "batched"): at_least(5.0), ("int8", "best"): at_least(1.5)}


def cases(mode: Mode, desk: Path) -> list[Case]:
    """Both precisions against the pipeline in batches, row by row, and at its best."""
    del desk
    found = prepared(mode)
    model, asked = found.model, found.texts
    others: dict[str, tuple[str, Callable[[], Ask]]] = {
        "batched": (f"pipeline, batch_size={BATCH}", pipeline_opener(model, batch_size=BATCH)),
        "default": ("pipeline, defaults", pipeline_opener(model)),
        "best": (f"pipeline, sorted by length, {named(fast_format())}", _best_opener(model)),
    }
    return [
        Case(
            name=f"predict_text_{precision}_{name}",
            work=f"{NETWORKS[mode]} answers {len(asked)} texts of mixed length, {precision}",
            other=other,
            unit="rows/s",
            ours=all_at_once(
                asked, bundle_opener(found.bundle, precision), pipeline_opener(model)()
            ),
            theirs=all_at_once(asked, opener),
            rounds=ROUNDS[mode],
            bar=BARS.get((precision, name)),
            settings={"rows": len(asked)},
        )
        for precision in PRECISIONS
        for name, (other, opener) in others.items()
    ]


@dataclass(frozen=True)
class Prepared:
    """A finetuned network in both forms, and texts to answer."""

    model: Path
    """What transformers opens."""
    bundle: Path
    texts: list[str]
    desk: tempfile.TemporaryDirectory[str] | None = None
    """Where it lies, for as long as this is held."""


@functools.cache
def prepared(mode: Mode) -> Prepared:
    """Made once in a process, for all that ask: MiniLM past the gate, or where not ``full`` at
    random."""
    desk = tempfile.TemporaryDirectory(prefix="multigraft-bench-text-")
    if mode != "full":
        return replace(at_random(Path(desk.name), ROWS[mode]), desk=desk)
    found = texts.minilm(Path(desk.name), rows=LEARNED, test=ROWS[mode])
    model, bundle = learned(
        texts.recipe(found, Turn(0, warm=False, folder=Path(desk.name)), SETTINGS)
    )
    return Prepared(model, bundle, _asked(found), desk)


def at_random(desk: Path, rows: int) -> Prepared:
    """A network of MiniLM's size with random weights, its words of one token each."""
    found = texts.corpus(desk, rows=texts.WARM_ROWS, test=rows)
    model, bundle = exported(texts.recipe(found, Turn(0, warm=False, folder=desk), SETTINGS))
    return Prepared(model, bundle, _asked(found))


def pipeline_opener(model: Path, **options: Any) -> Callable[[], Ask]:
    """transformers' pipeline of the same model."""

    def open_pipeline() -> Ask:
        from transformers import pipeline

        ask = pipeline("text-classification", model=str(model), tokenizer=str(model))
        return lambda values: [answer["label"] for answer in ask(values, **options)]

    return open_pipeline


def _best_opener(model: Path) -> Callable[[], Ask]:
    """The pipeline as one who knows it calls it: texts of like length together, in the fastest
    format."""
    ask_all, dtype = pipeline_opener(model, batch_size=BATCH), fast_format()

    def open_pipeline() -> Ask:
        import torch

        ask = ask_all()

        def answer(values: list[str]) -> list[str]:
            order = sorted(range(len(values)), key=lambda index: len(values[index]))
            with torch.autocast("cpu", dtype, enabled=dtype is torch.bfloat16):
                found = dict(zip(order, ask([values[index] for index in order]), strict=True))
            return [found[index] for index in range(len(values))]

        return answer

    return open_pipeline


def _asked(corpus: texts.Corpus) -> list[str]:
    return [text for text, _ in texts.read_rows(corpus.test)]
