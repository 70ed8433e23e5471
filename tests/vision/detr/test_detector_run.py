"""Detectors that bring their own head, from files to answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForObjectDetection, RTDetrImageProcessorPil

import multigraft as mg
import multigraft_vision
from helpers.detectors import KINDS, grafted
from helpers.detectors import pictures as drawn
from helpers.painted_objects import coco_folder
from multigraft.errors import RecipeError
from multigraft.export.graph.trace import Served, export_graph
from multigraft.runtime.session import Session
from multigraft.training.setup import build_optimizer
from vision.detr.conftest import recipe


def test_it_learns(run: mg.Run) -> None:
    first, last = run.history[0]["metrics"], run.history[-1]["metrics"]
    assert last["loss"] < first["loss"]
    assert {"ap", "ap50", "ar_100", "ap_brick"} <= last.keys()


def test_a_recipe_that_gives_no_rate_gets_that_of_a_head_that_was_brought(run: mg.Run) -> None:
    rateless = run.recipe.training.model_copy(update={"learning_rate": None})
    run.recipe = run.recipe.model_copy(update={"training": rateless})
    assert build_optimizer(run, 10).rate == 1e-4


def test_options_of_a_head_on_a_pyramid_are_refused(pictures: Path) -> None:
    task = {"name": "object-detection", "width": 64}
    with pytest.raises(RecipeError, match="brings its own; leave it out"):
        mg.finetune(recipe(pictures, "wide", task=task))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_its_graph_is_true_at_every_number_of_rows(kind: str, tmp_path: Path) -> None:
    graft, objective = grafted(kind)
    images = drawn(8).numpy()
    served = Served(graft, objective, ("image",), with_head=True).eval()
    rows = [{"image": image} for image in images]
    export_graph(served, rows[:2], {}, tmp_path / "model.onnx", opset=20)
    session = Session(tmp_path / "model.onnx")
    for count in (1, 2, 3, 4, 7, 8):
        batch = {"image": images[:count]}
        wanted, found = served.answer(batch), session.run(batch)
        assert found["queries"].shape == (count, 20, 4)
        np.testing.assert_allclose(found["scores"], wanted["scores"], atol=1e-4)
        np.testing.assert_allclose(found["queries"], wanted["queries"], atol=96e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_bundle_answers_as_transformers_does(kind: str, pictures: Path, tmp_path: Path) -> None:
    run = mg.finetune(recipe(pictures, f"bundle-{kind}", kind, training={"epochs": 6}))
    bundle = Path(run.export().files["bundle"])
    told = json.loads((bundle / "bundle.json").read_text())["precisions"]
    assert told["fp32"]["parity"] < 1e-4
    if kind == "d_fine":
        assert not told["int8"]["accepted"] and "depthwise" in told["int8"]["reason"]
    else:
        assert told["int8"]["accepted"], told["int8"]["reason"]
    model = AutoModelForObjectDetection.from_pretrained(run.folder / "model").eval()
    processor = RTDetrImageProcessorPil.from_pretrained(run.folder / "model")
    predictor, rng = mg.load(bundle, precision="fp32"), np.random.default_rng(0)
    found = 0
    for number in range(50):
        path = tmp_path / f"{number}.png"
        sides = (*rng.integers(20, 200, 2), 3)
        Image.fromarray(rng.integers(0, 256, sides).astype(np.uint8)).save(path)
        picture = Image.open(path)
        with torch.no_grad():
            outputs = model(**processor(picture, return_tensors="pt"))
        (wanted,) = processor.post_process_object_detection(
            outputs, threshold=0.1, target_sizes=[picture.size[::-1]]
        )
        ours = predictor.predict(path, threshold=0.1, top_k=20)["objects"]
        assert len(ours) == len(wanted["scores"])
        found += len(ours)
        np.testing.assert_allclose(
            [each["score"] for each in ours], wanted["scores"].numpy(), atol=1e-4
        )
        limits = torch.tensor([*picture.size, *picture.size])
        boxes = wanted["boxes"].clamp(min=0).minimum(limits)
        np.testing.assert_allclose([each["box"] for each in ours], boxes.numpy(), atol=0.05)
    assert found > 50


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "strategy", ["linear-probe", "lora", "bitfit", {"name": "partial", "blocks": 4}]
)
def test_strategies_learn_and_a_run_goes_on_from_its_folder(
    kind: str, strategy: Any, pictures: Path, tmp_path: Path
) -> None:
    first = mg.finetune({**recipe(pictures, "", kind, strategy=strategy), "output": str(tmp_path)})
    frozen = [name for name, rule in first.plan.rules.items() if not rule.learns]
    assert frozen and not any(name.startswith("head.") for name in frozen)
    assert len(first.history) == 2
    on = recipe(pictures, "", kind, training={"epochs": 0})
    on["backbone"] = {"name": f"detr/{tmp_path}"}
    on["output"] = str(tmp_path / "on")
    again = mg.finetune(on)
    ours, theirs = again.evaluate().metrics, first.evaluate().metrics
    assert ours["ap"].value == pytest.approx(theirs["ap"].value, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strategy", ["linear-probe", {"name": "partial", "blocks": 3}])
def test_replay_changes_nothing(
    kind: str, strategy: Any, pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weights = []
    for way in ("auto", "off"):
        training = {"replay": way, "optimizer": "sgd"}
        made = recipe(pictures, "", kind, strategy=strategy, training=training)
        with caplog.at_level("INFO", "multigraft"):
            run = mg.finetune({**made, "output": str(tmp_path / way)})
        weights.append(run.graft.state_dict())
    assert caplog.text.count("replaying") == 1, caplog.text
    for name, wanted in weights[1].items():
        torch.testing.assert_close(weights[0][name], wanted, atol=1e-6, rtol=1e-5)


class Interrupts:
    """Interrupts at a step, as Ctrl-C does."""

    @mg.hookimpl
    def step_end(self, step: int) -> None:
        if step == 3:
            raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_training_goes_on_to_the_same_bits(kind: str, tmp_path: Path) -> None:
    coco_folder(tmp_path / "train", 16)
    coco_folder(tmp_path / "held", 8, seed=1)
    training = {
        **{"batch_size": 4, "checkpoint_every": 2},
        "augment": {"name": "strong", "mosaic": 0.5},
    }
    engine = mg.Engine([multigraft_vision], discover=False)
    whole = engine.start(recipe(tmp_path, "one", kind, training=training), "finetune")
    broken = mg.Engine([multigraft_vision, Interrupts()], discover=False)
    with pytest.raises(KeyboardInterrupt):
        broken.start(recipe(tmp_path, "other", kind, training=training), "finetune")
    resumed = engine.resume(tmp_path / "other")
    ours, theirs = resumed.graft.state_dict(), whole.graft.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
