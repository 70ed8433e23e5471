"""Telling the entities of texts with a bundle, against `transformers.pipeline` on the same model.

MiniLM (6 x 384) with its published weights, finetuned for an epoch on 512 texts of
`benchmarks.texts`, in which the words of the four topics are entities of four types (``--quick``:
the same network with random weights, and no gate). Ours: ``mg.load(bundle,
precision=...).predict(texts)`` at its defaults: raw text to entities with their places and scores.
The pipeline: ``aggregation_strategy="simple"``, ``batch_size=32``, fp32. Loading is left out; the
notes hold the share of a few texts of which both sides tell the same entities.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import entities, texts
from benchmarks.answering import PRECISIONS, Ask, all_at_once, exported, learned
from benchmarks.harness import Case, Mode, Turn, at_least
from benchmarks.training import Settings

ROWS = {"full": 512, "quick": 128, "smoke": 48}
ROUNDS = {"full": 5, "quick": 1, "smoke": 1}
NETWORKS = {"full": "MiniLM", "quick": "6x384 BERT", "smoke": "6x384 BERT"}
LEARNED = 512
BATCH = 32
SETTINGS = Settings(learning_rate=2e-4)


def cases(mode: Mode, desk: Path) -> list[Case]:
    """Both precisions against the pipeline in batches."""
    model, bundle, asked = _prepared(mode, desk)
    theirs = _pipeline_opener(model)
    return [
        Case(
            name=f"predict_entities_{precision}",
            work=f"{NETWORKS[mode]} tells the entities of {len(asked)} texts, {precision}",
            other=f"pipeline, simple, batch_size={BATCH}",
            unit="rows/s",
            ours=all_at_once(asked, _bundle_opener(bundle, precision), theirs()),
            theirs=all_at_once(asked, theirs),
            rounds=ROUNDS[mode],
            bar=at_least(4.0) if precision == "int8" else None,
            settings={"rows": len(asked)},
        )
        for precision in PRECISIONS
    ]


def _prepared(mode: Mode, desk: Path) -> tuple[Path, Path, list[str]]:
    """The model as transformers opens it, the bundle, and texts to ask."""
    made = texts.minilm if mode == "full" else texts.corpus
    rows = LEARNED if mode == "full" else texts.WARM_ROWS
    found = made(desk, rows=rows, test=ROWS[mode])
    words = texts.words_of(found.weights) if mode == "full" else texts.MADE_UP
    recipe = entities.recipe(found, words, Turn(0, warm=False, folder=desk), SETTINGS)
    model, bundle = learned(recipe) if mode == "full" else exported(recipe)
    return model, bundle, [text for text, _ in texts.read_rows(found.test)]


def _bundle_opener(bundle: Path, precision: str) -> Callable[[], Ask]:
    def open_bundle() -> Ask:
        import multigraft as mg

        predictor = mg.load(bundle, precision=precision)
        return lambda values: [
            _line((each["start"], each["end"], each["label"]) for each in answer["entities"])
            for answer in predictor.predict(values)
        ]

    return open_bundle


def _pipeline_opener(model: Path) -> Callable[[], Ask]:
    def open_pipeline() -> Ask:
        from transformers import pipeline

        ask = pipeline(
            "token-classification",
            model=str(model),
            tokenizer=str(model),
            aggregation_strategy="simple",
        )
        return lambda values: [
            _line((each["start"], each["end"], each["entity_group"]) for each in found)
            for found in ask(values, batch_size=BATCH)
        ]

    return open_pipeline


def _line(entities: Any) -> str:
    return " ".join(f"{start}-{end}:{label}" for start, end, label in entities)
