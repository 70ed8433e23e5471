"""The texts of `benchmarks.texts`, the words of their topics as entities of four types, and both
sides of learning to tell them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import texts
from benchmarks.harness import Turn
from benchmarks.training import Settings, Trained, theirs
from benchmarks.training import ours as run_ours

OUTSIDE = "O"
LABELS = (OUTSIDE, *(f"B-topic{number}" for number in range(texts.TOPICS)))
"""Every entity is a word, and every word a token."""
IGNORED = -100


def types_of(words: Sequence[str]) -> dict[str, str]:
    """The type of each word that has one."""
    told = words[: texts.TOPICS * texts.TOPIC_WORDS]
    return {word: f"topic{place // texts.TOPIC_WORDS}" for place, word in enumerate(told)}


def recipe(
    corpus: texts.Corpus, words: Sequence[str], turn: Turn, settings: Settings
) -> dict[str, Any]:
    """Ours, complete."""
    raw, types = texts.recipe(corpus, turn, settings), types_of(words)
    files = {split: str(_marked(Path(raw["data"][split]), types)) for split in ("train", "test")}
    return {
        **raw,
        "task": {"name": "token-classification", "dropout": 0.1},
        "data": {**raw["data"], **files},
    }


def ours(
    corpus: texts.Corpus, words: Sequence[str], turn: Turn, settings: Settings
) -> tuple[Trained, float | None]:
    """Train; with the F1 of the entities of the test texts."""
    done = run_ours(recipe(corpus, words, turn, settings), rows=corpus.source(turn)[1])
    return done, None if turn.warm else float(done.model.evaluate().metrics["f1"].value)


def trainers(
    corpus: texts.Corpus, words: Sequence[str], turn: Turn, settings: Settings
) -> tuple[Trained, float | None]:
    """Train with transformers' Trainer, as its token classification script does; with the F1 that
    seqeval finds."""
    from transformers import (
        AutoModelForTokenClassification,
        AutoTokenizer,
        DataCollatorForTokenClassification,
    )

    tokenizer, types = AutoTokenizer.from_pretrained(corpus.weights), types_of(words)
    done = theirs(
        lambda: AutoModelForTokenClassification.from_pretrained(
            corpus.weights, num_labels=len(LABELS)
        ),
        lambda: _dataset(corpus.source(turn)[0], tokenizer, types),
        settings=settings.of(turn),
        folder=turn.folder,
        seed=turn.number,
        collator=DataCollatorForTokenClassification(tokenizer),
        flags={"per_device_eval_batch_size": settings.batch_size},
        processor=tokenizer,
    )
    if turn.warm:
        return done, None
    return done, _f1(done.model, _dataset(corpus.test, tokenizer, types))


def _f1(trainer: Any, rows: Any) -> float:
    from seqeval.metrics import f1_score

    output = trainer.predict(rows)
    real = output.label_ids != IGNORED
    sides = (output.predictions.argmax(-1), output.label_ids)
    said, told = (
        [
            [LABELS[tag] for tag in row[kept]]
            for row, kept in zip(np.asarray(side), real, strict=True)
        ]
        for side in sides
    )
    return float(f1_score(told, said))


def _dataset(file: Path, tokenizer: Any, types: dict[str, str]) -> Any:
    import datasets

    datasets.disable_progress_bars()
    raw = datasets.Dataset.from_dict({"words": [text.split() for text, _ in texts.read_rows(file)]})

    def read(batch: Any) -> dict[str, Any]:
        found = tokenizer(
            batch["words"], is_split_into_words=True, truncation=True, max_length=texts.LONGEST
        )
        tags = [
            [_tag(words, place, types) for place in found.word_ids(number)]
            for number, words in enumerate(batch["words"])
        ]
        return {**found, "labels": tags}

    return raw.map(read, batched=True, remove_columns=["words"])


def _tag(words: Sequence[str], place: int | None, types: dict[str, str]) -> int:
    if place is None:
        return IGNORED
    kind = types.get(words[place])
    return LABELS.index(OUTSIDE if kind is None else f"B-{kind}")


def _marked(file: Path, types: dict[str, str]) -> Path:
    """The texts of a file as JSON lines, with the spans of the words that have a type."""
    lines = [
        json.dumps(
            {
                "text": text,
                "spans": [
                    {"start": found.start(), "end": found.end(), "label": types[found.group()]}
                    for found in re.finditer(r"\S+", text)
                    if found.group() in types
                ],
            }
        )
        for text, _ in texts.read_rows(file)
    ]
    path = file.with_suffix(".jsonl")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
