"""Answering with a bundle, against `transformers.pipeline` on the same finetuned model.

The 6 x 384 BERT after a few steps, exported in fp32; texts of `benchmarks.texts` lengths. Ours:
``mg.load(bundle).predict(texts)`` at its defaults (onnxruntime, batches of 32 of like length). The pipeline:
at its defaults, which answer row by row, and with ``batch_size=32``. Ours gives every label's score, the
pipeline the best one's; loading is left out. The notes hold the share of a few rows on which the two give the
same label.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import texts
from benchmarks.harness import Case, Mode, Sample, Turn, stopwatch
from benchmarks.training import Settings

ROWS = {"full": 1000, "quick": 128, "smoke": 48}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
FEW = 32


def cases(mode: Mode, desk: Path) -> list[Case]:
    """The pipeline row by row, and in batches."""
    import multigraft as mg

    found = texts.corpus(desk, rows=texts.WARM_ROWS, test=ROWS[mode])
    model, bundle = _trained(found, desk)
    predictor = mg.load(bundle, precision="fp32")
    pipeline = _pipeline(model)
    asked = [text for text, _ in texts.read_rows(found.test)]
    few = asked[:FEW]
    pairs = zip(predictor.predict(few), pipeline(few), strict=True)
    agree = sum(own["label"] == other["label"] for own, other in pairs) / len(few)

    def values(turn: Turn) -> list[str]:
        return asked[:FEW] if turn.warm else asked

    def we(turn: Turn) -> Sample:
        with stopwatch() as seconds:
            predictor.predict(values(turn))
        return Sample(len(values(turn)) / seconds[0], facts={f"agreement on {FEW} rows": agree})

    def they(options: Mapping[str, Any]) -> Any:
        def take(turn: Turn) -> Sample:
            with stopwatch() as seconds:
                pipeline(values(turn), **options)
            return Sample(len(values(turn)) / seconds[0])

        return take

    return [
        Case(
            name=name,
            work=f"6x384 BERT answers {len(asked)} texts, fp32",
            other=other,
            unit="rows/s",
            ours=we,
            theirs=they(options),
            rounds=ROUNDS[mode],
            settings={"rows": len(asked), "options": dict(options)},
        )
        for name, other, options in (
            ("predict_default", "pipeline, defaults", {}),
            ("predict_batched", "pipeline, batch_size=32", {"batch_size": 32}),
        )
    ]


def _trained(found: texts.Corpus, desk: Path) -> tuple[Path, Path]:
    """The run's model, which transformers opens, and its bundle."""
    import multigraft as mg

    turn = Turn(0, warm=False, folder=desk)
    run = mg.finetune({**texts.recipe(found, turn, Settings()), "export": {"precisions": ["fp32"]}})
    return run.folder / "model", Path(run.export().files["bundle"])


def _pipeline(model: Path) -> Any:
    from transformers import pipeline

    return pipeline("text-classification", model=str(model), tokenizer=str(model))
