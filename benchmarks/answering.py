"""What the cases of prediction share: a bundle, and both sides' turns.

Where the weights are random a run learns for one step, and its int8 graph is accepted whatever it
loses: speed does not depend on what was learned. The notes hold the share of a few rows on which
both sides give the same label; with random weights int8 may differ where the scores are all but
equal.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import Sample, Side, Turn, stopwatch

PRECISIONS = ("int8", "fp32")
FEW = 16
EXPORT = {"precisions": ["fp32", "int8"], "calibration": 32}
UNGATED = {**EXPORT, "budget": 100, "rows": 1, "repair": 0}

Ask = Callable[[list[Any]], list[str]]
"""Values to labels."""


def exported(raw: Mapping[str, Any]) -> tuple[Path, Path]:
    """Train for a step and export, whatever int8 loses: the model's folder and the bundle's."""
    return learned({**raw, "training": {**raw["training"], "steps": 1}, "export": UNGATED})


def learned(raw: Mapping[str, Any]) -> tuple[Path, Path]:
    """Train and export what the gate accepts: the model's folder and the bundle's."""
    import multigraft as mg

    run = mg.finetune({"export": EXPORT, **raw})
    return run.folder / "model", Path(run.export().files["bundle"])


def fast_format() -> Any:
    """The number format in which eager torch is fastest here: bf16 where it is native, else
    fp32."""
    import torch

    from multigraft.system.compute.precision import native_bf16

    return torch.bfloat16 if native_bf16() else torch.float32


def named(dtype: Any) -> str:
    """A number format as tables name it."""
    return "bf16" if "bfloat16" in str(dtype) else "fp32"


def all_at_once(
    values: Sequence[Any], opener: Callable[[], Ask], expected: Ask | None = None
) -> Side:
    """Answer all values in one call: rows a second. The model is opened and asked a few rows
    before."""

    def take(turn: Turn) -> Sample:
        asked = list(values[:FEW] if turn.warm else values)
        ask = opener()
        few = ask(asked[:FEW])
        with stopwatch() as seconds:
            ask(asked)
        facts = (
            {}
            if expected is None
            else {f"agreement on {FEW} rows": agreement(few, expected(asked[:FEW]))}
        )
        del ask
        gc.collect()
        return Sample(len(asked) / seconds[0], facts=facts)

    return take


def one_by_one(values: Sequence[Any], opener: Callable[[], Ask]) -> Side:
    """Answer each value in a call of its own: the median milliseconds; the 95th percentile in the
    notes."""

    def take(turn: Turn) -> Sample:
        asked = list(values[:FEW] if turn.warm else values)
        ask = opener()
        for value in asked[:FEW]:
            ask([value])
        found = []
        for value in asked:
            started = time.perf_counter()
            ask([value])
            found.append(1000 * (time.perf_counter() - started))
        del ask
        gc.collect()
        return Sample(
            statistics.median(found), facts={"p95 ms": statistics.quantiles(found, n=20)[-1]}
        )

    return take


def bundle_opener(bundle: Path, precision: str, *, single: bool = False) -> Callable[[], Ask]:
    """Ours at its defaults; ``single`` hands over the value alone, as a person would."""

    def open_bundle() -> Ask:
        import multigraft as mg

        predictor = mg.load(bundle, precision=precision)
        if single:
            return lambda values: [predictor.predict(values[0])["label"]]
        return lambda values: [answer["label"] for answer in predictor.predict(values)]

    return open_bundle


def agreement(found: Sequence[str], expected: Sequence[str]) -> float:
    """The share of equal labels."""
    return sum(one == other for one, other in zip(found, expected, strict=True)) / len(found)
