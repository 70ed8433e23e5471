"""Answering one text at a time, against `transformers.pipeline` in fp32 on the same finetuned
model.

The model, the bundle and the texts of `predict_text`, each text in a call of its own; the median
milliseconds of a call, with the 95th percentile in the notes. Loading is left out.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.answering import PRECISIONS, bundle_opener, one_by_one
from benchmarks.cases.predict_text import NETWORKS, pipeline_opener, prepared
from benchmarks.harness import Case, Mode, at_least

ROWS = {"full": 256, "quick": 64, "smoke": 32}
ROUNDS = {"full": 5, "quick": 1, "smoke": 1}


def cases(mode: Mode, desk: Path) -> list[Case]:
    """Both precisions."""
    del desk
    found = prepared(mode)
    asked = found.texts[: ROWS[mode]]
    return [
        Case(
            name=f"predict_text_single_{precision}",
            work=f"{NETWORKS[mode]} answers one text, {precision}, median of {len(asked)}",
            other="pipeline, defaults",
            unit="ms",
            ours=one_by_one(asked, bundle_opener(found.bundle, precision, single=True)),
            theirs=one_by_one(asked, pipeline_opener(found.model)),
            rounds=ROUNDS[mode],
            bar=at_least(4.0) if precision == "int8" else None,
            settings={"texts": len(asked)},
        )
        for precision in PRECISIONS
    ]
