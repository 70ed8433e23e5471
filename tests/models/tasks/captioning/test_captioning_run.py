"""Captioning the whole way, by both ways of joining: what is learned, written, shipped and
served."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM
from typer.testing import CliRunner

import multigraft as mg
from helpers import captions
from helpers.packages import ROOT
from helpers.toy_server import serving
from multigraft.cli.app import build
from multigraft.contracts.readers import collate
from multigraft.runtime.describing import describe
from multigraft.runtime.serving.model import Model

WRITERS = ("gpt-tiny", "bart-tiny")
WITHOUT_TORCH = """
import json, sys
from multigraft.testing.offline import Blocker
sys.meta_path.insert(0, Blocker())
import multigraft as mg
found = mg.load(sys.argv[1], precision="fp32")
rows = json.load(sys.stdin)
report = mg.evaluate(found, rows)
json.dump([found.predict([row["image"] for row in rows]), report.metrics["chrf"].value], sys.stdout)
"""


@pytest.fixture(scope="module", params=WRITERS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    folder = tmp_path_factory.mktemp(request.param)
    made = captions.rows(folder / "pictures", 320, 1)
    return mg.finetune(**captions.recipe(folder, request.param, made, training={"epochs": 25}))


@pytest.fixture(scope="module")
def bundle(run: mg.Run) -> Path:
    return Path(run.export().files["bundle"])


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> mg.Predictor:
    return mg.load(bundle, precision="fp32")


@pytest.fixture(scope="module")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return captions.rows(tmp_path_factory.mktemp("unseen"), 40, 2)


def memory_of(run: mg.Run, path: str) -> torch.Tensor:
    """What stands in front of a text, or what its decoder attends to: [1, positions, width]."""
    batch = collate([run.reader.read(path)], run.reader.fills)
    tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
    found: torch.Tensor = run.graft.head.bridge(run.graft.backbone(tensors)).sequence
    return found


def greedy(run: mg.Run, path: str, most: int) -> list[int]:
    """Greedy search by transformers' own model as it was saved, without a cache."""
    folder, seen = run.folder / "model" / "text", memory_of(run, path)
    writing = run.objective.writing
    tokens = list(writing.start)
    crosses = bool(run.graft.backbone.writer.later)
    kind: Any = AutoModelForSeq2SeqLM if crosses else AutoModelForCausalLM
    model = kind.from_pretrained(folder).eval()
    for _ in range(most):
        ids = torch.tensor([tokens])
        if crosses:
            hidden = model.get_decoder()(input_ids=ids, encoder_hidden_states=seen)
            scores = model.lm_head(hidden.last_hidden_state) + model.final_logits_bias
        else:
            embedded = model.get_input_embeddings()(ids)
            scores = model(inputs_embeds=torch.cat([seen, embedded], dim=1)).logits
        tokens.append(int(scores[0, -1].argmax()))
        if tokens[-1] in writing.stop:
            break
    return tokens[len(writing.start) :]


def test_captions_are_learned(
    run: mg.Run, predictor: mg.Predictor, unseen: list[dict[str, Any]]
) -> None:
    """Of 8 captions, each about as frequent, none is right for half of the pictures."""
    answers = predictor.predict([row["image"] for row in unseen])
    right = [answer["text"] == row["caption"] for answer, row in zip(answers, unseen, strict=True)]
    assert np.mean(right) > 0.6
    metrics = run.evaluate().metrics
    assert {"bleu", "chrf", "rouge1", "rouge2", "rougeL", "loss", "perplexity"} <= metrics.keys()
    assert metrics["chrf"].value > 60


@torch.inference_mode()
def test_the_bundle_writes_what_a_plain_loop_writes(
    run: mg.Run, predictor: mg.Predictor, unseen: list[dict[str, Any]]
) -> None:
    run.graft.eval()
    for row in unseen[:12]:
        answer = predictor.predict(row["image"])
        wanted = greedy(run, row["image"], 12)
        assert answer["tokens"] == wanted
        stopped = wanted[-1] in run.objective.writing.stop
        assert answer["ended"] == ("stop" if stopped else "length")


def test_a_value_may_be_named_or_stand_alone(
    predictor: mg.Predictor, unseen: list[dict[str, Any]]
) -> None:
    paths = [row["image"] for row in unseen[:3]]
    alone = predictor.predict(paths)
    assert predictor.predict([{"image": path} for path in paths]) == alone
    assert predictor.predict(Path(paths[0]).read_bytes()) == alone[0]
    assert set(alone[0]) == {"text", "tokens", "ended"}
    with pytest.raises(mg.RowError, match="found 'sound' in it"):
        predictor.predict({"sound": paths[0]})
    assert "cannot be read" in predictor.predict("none.png", on_error="return")["error"]


def test_beams_are_asked_for(predictor: mg.Predictor, unseen: list[dict[str, Any]]) -> None:
    path = unseen[0]["image"]
    (answer,) = predictor.generate([path], method="beam", beams=3, max_new_tokens=8)
    assert answer["score"] <= 0 and len(answer["tokens"]) <= 8
    assert "".join(predictor.stream(path)) == predictor.predict(path)["text"]


def test_evaluation_gate_and_bundle_say_the_same(
    run: mg.Run, bundle: Path, unseen: list[dict[str, Any]]
) -> None:
    """And without torch."""
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(bundle)],
        input=json.dumps(unseen),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    answers, chrf = json.loads(found.stdout)
    assert answers == mg.load(bundle, precision="fp32").predict([row["image"] for row in unseen])
    there = run.evaluate(unseen, name="unseen").metrics
    assert chrf == pytest.approx(there["chrf"].value)
    gate = mg.load(bundle, precision="fp32").bundle.precisions
    assert gate["fp32"].metric == gate["int8"].metric == "chrf"
    assert gate["fp32"].value == pytest.approx(run.evaluate().metrics["chrf"].value)
    assert gate["int8"].same_tokens is None or gate["int8"].same_tokens > 0.8


def test_a_server_takes_a_picture(predictor: mg.Predictor, unseen: list[dict[str, Any]]) -> None:
    picture = Path(unseen[0]["image"]).read_bytes()
    wanted = predictor.predict(picture)
    model = Model("captions", predictor, predictor.modality)
    with serving(model) as served:
        coded = base64.b64encode(picture).decode()
        said = served.client.post("/predict", json={"inputs": [coded]})
        file = served.client.post("/predict", files=[("file", ("a.png", picture))])
        described = served.client.get("/models").json()
    assert said.status_code == file.status_code == 200, said.text + file.text
    assert said.json()["answers"] == file.json()["answers"] == [wanted]
    assert described


def test_the_command_line_takes_a_picture(
    bundle: Path, predictor: mg.Predictor, unseen: list[dict[str, Any]]
) -> None:
    path = unseen[0]["image"]
    asked = ["predict", str(bundle), path, "--precision", "fp32", "--json"]
    result = CliRunner().invoke(build(), asked)
    assert result.exit_code == 0, result.output
    (said,) = json.loads(result.stdout)
    assert said == {"input": path, "answer": predictor.predict(path)}


def test_a_page_asks_for_a_picture(predictor: mg.Predictor) -> None:
    found = describe(predictor.bundle, predictor.modality, name="captions", precision="fp32")
    assert (found["media"], found["branches"], found["columns"]) == ("image", [], ["image"])


def test_the_manifest_names_both_branches(bundle: Path, predictor: mg.Predictor) -> None:
    said = json.loads((bundle / "bundle.json").read_text())
    assert said["format"] == 2
    assert list(said["branches"]) == ["image", "text"]
    assert said["reader"]["writer"] == "text"
    card = (bundle / "README.md").read_text()
    assert "writes a text about a value" in card and "example.png" in card


def test_each_branch_opens_in_its_own_library(run: mg.Run) -> None:
    timm.create_model(f"local-dir:{run.folder / 'model' / 'image'}", pretrained=True)
    crosses = bool(run.graft.backbone.writer.later)
    kind: Any = AutoModelForSeq2SeqLM if crosses else AutoModelForCausalLM
    _, told = kind.from_pretrained(run.folder / "model" / "text", output_loading_info=True)
    assert not told["missing_keys"]
