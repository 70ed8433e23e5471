"""A run's model folder, opened in transformers without multigraft."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import multigraft as mg

WORDS = ("wool", "warm", "rain", "hat", "red")


@pytest.mark.parametrize("backbone", ["bert-tiny", "gpt-tiny"])
def test_several_labels_open_as_such_and_score_alike(tmp_path: Path, backbone: str) -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 4)) for _ in range(60)]
    rows = [
        {"text": text, "labels": [word for word in WORDS[:3] if word in text]} for text in texts
    ]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
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
