"""Encoder-decoders are pretrained, and finetuned from what was learned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import multigraft as mg
from helpers.seq2seq_runs import made_texts, rows_of, trained
from multigraft_text.seq2seq.build import load
from multigraft_text.seq2seq.specs import seq2seq_spec

TASKS = [("t5", "span-corruption"), ("bart", "denoising")]


def pretrained(folder: Path, family: str, task: str, texts: list[str], *, epochs: int) -> mg.Run:
    table = folder / "texts.jsonl"
    table.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return mg.pretrain(
        task=task,
        backbone={"name": f"{family}-tiny", "weights": "scratch", "dropout": 0.0},
        data={"train": str(table), "leakage": {"near": False, "allowed": 1}},
        reader={"tokenizer": "character", "vocabulary": 60, "max_length": 64},
        training={"epochs": epochs, "batch_size": 16, "learning_rate": 5e-3, "precision": "fp32"},
        output=str(folder / "pretrained"),
    )


@pytest.mark.parametrize(("family", "task"), TASKS)
def test_the_loss_falls_and_finetuning_goes_on_from_it(
    family: str, task: str, tmp_path: Path
) -> None:
    run = pretrained(tmp_path, family, task, made_texts(96, seed=0), epochs=4)
    losses = [entry["metrics"]["loss"] for entry in run.history]
    assert losses[-1] < losses[0] - 0.3, losses
    assert {"loss", "perplexity", "token_accuracy"} <= run.evaluate().metrics.keys()

    origin = mg.Origin(
        backbone=f"{family}-tiny", size="tiny", path=run.folder / "model", config={}, hub=None
    )
    spec = seq2seq_spec(origin, {"max_length": 64})
    assert spec["tokenizer.json"] == run.reader.spec()["tokenizer.json"]
    opened, learned = load(origin, spec).state_dict(), run.graft.backbone.state_dict()
    assert opened.keys() == learned.keys()
    for name, tensor in learned.items():
        assert torch.equal(opened[name], tensor), name


@pytest.mark.slow
@pytest.mark.parametrize(("family", "task"), TASKS)
def test_a_finetuned_bundle_writes_after_pretraining(
    family: str, task: str, tmp_path: Path
) -> None:
    texts = made_texts(60, seed=0)
    run = pretrained(tmp_path, family, task, texts, epochs=1)
    tuned = trained(
        tmp_path, family, rows_of(texts), backbone={"weights": str(run.folder)}, reader={}
    )
    answer = mg.load(tuned.export().files["bundle"]).predict(texts[0])
    assert isinstance(answer["text"], str) and "<" not in answer["text"]
