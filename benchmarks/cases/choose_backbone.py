"""Ranking backbones by their frozen features of 1,000 rows, against finetuning every one of them.

``BENCH_CHOICES`` names a YAML file: name -> ``recipe`` and ``among``, as `multigraft.choose` takes
them; each is a row. Without it the generated texts are ranked for MiniLM with its published
weights, the same network without them, and two smaller BERTs without weights. Ours: `choose`, from
reading the file to the ranking. The other: a whole run of each backbone and its evaluation on the
test rows, one after another; the notes hold the weighted tau between each score and the metric that
finetuning reached, which is what the seconds buy.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness import Case, Mode, Sample, Side, Turn, at_least
from benchmarks.texts import minilm

ROWS = {"full": 4000, "quick": 256, "smoke": 64}
SCORED = {"full": 1000, "quick": 128, "smoke": 32}


def cases(mode: Mode, desk: Path) -> list[Case]:
    """A row for each choice."""
    return [
        _case(f"choose_backbone_{name}", choice["recipe"], choice["among"], SCORED[mode])
        for name, choice in _choices(mode, desk).items()
    ]


def _choices(mode: Mode, desk: Path) -> Mapping[str, Any]:
    named = os.environ.get("BENCH_CHOICES")
    if named is not None:
        from multigraft.recipe import read_mapping

        return read_mapping(Path(named))
    found = minilm(desk, rows=ROWS[mode], test=256)
    recipe = {
        "task": "text-classification",
        "data": {
            "train": str(found.train),
            "test": str(found.test),
            "split": {"validation": 0.1, "test": 0},
            "leakage": {"allowed": 1},
        },
        "training": {"epochs": 1},
    }
    among = {
        "MiniLM": {"name": "bert-base", "weights": str(found.weights)},
        "tiny": {"name": "bert-tiny", "weights": "scratch"},
        "small": {"name": "bert-small", "weights": "scratch"},
    }
    return {"text": {"recipe": recipe, "among": among}}


def _case(name: str, recipe: Mapping[str, Any], among: Mapping[str, Any], rows: int) -> Case:
    ranked: dict[str, Mapping[str, float]] = {}
    return Case(
        name=name,
        work=f"{recipe['task']}: {len(among)} backbones ranked by features of {rows} rows at most",
        other="finetuning each",
        unit="s",
        ours=_ranking(recipe, among, rows, ranked),
        theirs=_finetuning(recipe, among, ranked),
        rounds=1,
        warm=False,
        bar=at_least(50.0),
        settings={"rows": rows, "among": list(among), **recipe.get("training", {})},
    )


def _ranking(
    recipe: Mapping[str, Any],
    among: Mapping[str, Any],
    rows: int,
    ranked: dict[str, Mapping[str, float]],
) -> Side:
    """Ranks, and leaves the scores in ``ranked``."""

    def rank(turn: Turn) -> Sample:
        import multigraft as mg

        began = time.perf_counter()
        found = mg.choose(recipe, among=among, rows=rows, quiet=True)
        seconds = time.perf_counter() - began
        ranked.update({each.name: each.scores for each in found.backbones})
        return Sample(seconds)

    return rank


def _finetuning(
    recipe: Mapping[str, Any],
    among: Mapping[str, Any],
    ranked: Mapping[str, Mapping[str, float]],
) -> Side:
    """Finetunes each, and tells how well every score ranked what came out."""

    def train(turn: Turn) -> Sample:
        import multigraft as mg

        began, reached = time.perf_counter(), {}
        for name, backbone in among.items():
            given = {**recipe, "backbone": backbone, "output": str(turn.folder / name)}
            run = mg.finetune(given, quiet=True)
            metrics = run.evaluate(quiet=True).metrics
            reached[name] = metrics[run.objective.monitor].value
        return Sample(time.perf_counter() - began, facts=_told(reached, ranked))

    return train


def _told(
    reached: Mapping[str, float], ranked: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """What each backbone reached, and the weighted tau of each score that all have."""
    from multigraft.evaluation.transferability import weighted_tau

    common = set.intersection(*(set(scores) for scores in ranked.values()))
    values = {score: [ranked[name][score] for name in reached] for score in sorted(common)}
    taus = {
        f"tau of {score}": weighted_tau(each, list(reached.values()))
        for score, each in values.items()
    }
    return {**taus, **{f"{name} reached": value for name, value in reached.items()}}
