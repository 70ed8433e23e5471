"""Answering texts with a bundle, against `transformers.pipeline` in fp32 on the same finetuned model.

The 6 x 384 BERT, texts of `benchmarks.texts` lengths. Ours: ``mg.load(bundle, precision=...).predict(texts)``
at its defaults: batches of like length, as large as the export measured to be fastest. The pipeline: with
``batch_size=32``, and at its defaults, which answer row by row. Ours gives every label's score, the pipeline
the best one's; loading is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import texts
from benchmarks.answering import PRECISIONS, Ask, all_at_once, bundle_opener, exported
from benchmarks.harness import Case, Mode, Turn, at_least
from benchmarks.training import Settings

ROWS = {"full": 512, "quick": 128, "smoke": 48}
ROUNDS = {"full": 5, "quick": 1, "smoke": 1}


def cases(mode: Mode, desk: Path) -> list[Case]:
    """Both precisions against the pipeline in batches and row by row."""
    model, bundle, asked = prepared(desk, ROWS[mode])
    others = (
        ("batched", "pipeline, batch_size=32", {"batch_size": 32}),
        ("default", "pipeline, defaults", {}),
    )
    return [
        Case(
            name=f"predict_text_{precision}_{name}",
            work=f"6x384 BERT answers {len(asked)} texts of mixed length, {precision}",
            other=other,
            unit="rows/s",
            ours=all_at_once(asked, bundle_opener(bundle, precision), pipeline_opener(model)()),
            theirs=all_at_once(asked, pipeline_opener(model, **options)),
            rounds=ROUNDS[mode],
            bar=at_least(5.0) if (precision, name) == ("int8", "batched") else None,
            settings={"rows": len(asked), "options": options},
        )
        for precision in PRECISIONS
        for name, other, options in others
    ]


def prepared(desk: Path, rows: int) -> tuple[Path, Path, list[str]]:
    """The run's model, which transformers opens, its bundle, and the texts to answer."""
    found = texts.corpus(desk, rows=texts.WARM_ROWS, test=rows)
    turn = Turn(0, warm=False, folder=desk)
    model, bundle = exported(texts.recipe(found, turn, Settings()))
    return model, bundle, [text for text, _ in texts.read_rows(found.test)]


def pipeline_opener(model: Path, **options: Any) -> Callable[[], Ask]:
    """transformers' pipeline of the same model."""

    def open_pipeline() -> Ask:
        from transformers import pipeline

        ask = pipeline("text-classification", model=str(model), tokenizer=str(model))
        return lambda values: [answer["label"] for answer in ask(values, **options)]

    return open_pipeline
