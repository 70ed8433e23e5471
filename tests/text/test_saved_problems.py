"""A run's model folder, opened in transformers without multigraft."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import multigraft as mg

WORDS = ("wool", "warm", "rain", "hat", "red")


def write(path: Path, column: str, cells: Any) -> list[str]:
    """Texts of a few words, and a cell that follows from each."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 6)) for _ in range(60)]
    rows = [{"text": text, column: cells(text)} for text in texts]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return texts


@pytest.mark.parametrize("backbone", ["bert-tiny", "gpt-tiny"])
def test_several_labels_open_as_such_and_score_alike(tmp_path: Path, backbone: str) -> None:
    data = tmp_path / "rows.jsonl"
    texts = write(data, "labels", lambda text: [word for word in WORDS[:3] if word in text])
    run = mg.finetune(
        task="text-multilabel",
        backbone=backbone,
        data={"train": str(data), "leakage": {"allowed": 1}},
        training={"epochs": 1},
        export={"precisions": ["fp32"]},
        output=str(tmp_path / "run"),
    )
    model = AutoModelForSequenceClassification.from_pretrained(run.folder / "model").eval()
    assert model.config.problem_type == "multi_label_classification"
    assert model.config.id2label == dict(enumerate(run.targets["labels"]))
    tokens = AutoTokenizer.from_pretrained(run.folder / "model")(texts[0], return_tensors="pt")
    with torch.no_grad():
        theirs = model(**tokens).logits[0].sigmoid()
    ours = mg.load(run.export().files["bundle"]).predict(texts[0])["scores"]
    found = dict(zip(run.targets["labels"], theirs.tolist(), strict=True))
    assert ours == pytest.approx(found, abs=1e-5)


def test_numbers_open_as_such_in_their_own_unit(tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    texts = write(data, "target", lambda text: 500 + 10 * text.count("wool"))
    run = mg.finetune(
        task="text-regression",
        backbone="bert-tiny",
        data={"train": str(data), "leakage": {"allowed": 1}},
        training={"epochs": 1},
        export={"precisions": ["fp32"]},
        output=str(tmp_path / "run"),
    )
    model = AutoModelForSequenceClassification.from_pretrained(run.folder / "model").eval()
    assert model.config.problem_type == "regression" and model.config.num_labels == 1
    tokens = AutoTokenizer.from_pretrained(run.folder / "model")(texts[0], return_tensors="pt")
    with torch.no_grad():
        theirs = model(**tokens).logits.item()
    ours = mg.load(run.export().files["bundle"]).predict(texts[0])["value"]
    assert ours == pytest.approx(theirs, rel=1e-5) and 450 < ours < 600
