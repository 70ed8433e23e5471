"""Semantic segmentation from a table to a bundle: the same label maps and figures everywhere."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from pycocotools import mask as coco

import multigraft_vision
from helpers.bundle_figures import figures_agree
from helpers.npm_archives import stand_in_engine
from helpers.packages import ROOT
from helpers.painted_scenes import CLASSES, scene, table
from helpers.scene_recipe import recipe
from helpers.toy_server import serving
from multigraft.contracts.answers import Window
from multigraft.data import Epoch, iterate
from multigraft.engine import Engine
from multigraft.runtime import load
from multigraft.runtime.answers.label_maps.areas import area_metrics, areas_of
from multigraft.runtime.bundle import open_bundle
from multigraft.runtime.serving.server import open_models
from multigraft.runtime.web.site import write_site
from multigraft.testing.tiny_runs import heard

WITHOUT_TORCH = """
import json, sys
from multigraft.testing.offline import Blocker
sys.meta_path.insert(0, Blocker())
import multigraft as mg
json.dump(mg.load(sys.argv[1]).predict(json.load(sys.stdin)), sys.stdout)
"""


def label_map(answer: Any) -> np.ndarray:
    """An answer's classes, decoded by pycocotools."""
    found = np.full(answer["size"], 255, np.uint8)
    for each in answer["segments"]:
        mask = coco.decode(each["mask"]).astype(bool)
        assert (found[mask] == 255).all(), "segments do not lie over each other"
        found[mask] = CLASSES.index(each["label"])
        assert each["share"] == pytest.approx(mask.mean())
    return found


def wanted(run: Any, index: int) -> np.ndarray:
    return np.array(Image.open(run.rows["validation"].target_row(index)["mask"]))


def test_it_learns_what_is_where(run: Any) -> None:
    assert run.evaluate().metrics["miou"].value > 0.8


def test_figures_are_those_of_the_bundles_label_maps(run: Any) -> None:
    """Evaluation, gate and bundle agree to the last digits, in the pictures' own pixels."""
    report, rows = run.evaluate(), run.rows["validation"]
    bundle = open_bundle(run.folder / "bundle")
    predictor = load(run.folder / "bundle", precision="fp32", catalog=run.catalog)
    areas = np.zeros((3, len(CLASSES)))
    for index in range(len(rows)):
        areas += areas_of(label_map(predictor.predict(rows.raw(index))), wanted(run, index), 3)
    for name, value in area_metrics(areas, CLASSES).items():
        assert report.metrics[name].value == pytest.approx(value, abs=1e-9)
    assert bundle.precisions["fp32"].value == pytest.approx(area_metrics(areas, CLASSES)["miou"])
    assert report.metrics["miou"].low < report.metrics["miou"].value < report.metrics["miou"].high


def test_int8_keeps_the_classes_in_float(run: Any) -> None:
    """The gate tried int8; the graph gives bytes, whatever the precision."""
    bundle = open_bundle(run.folder / "bundle")
    assert set(bundle.precisions) >= {"fp32", "int8"}
    predictor = load(run.folder / "bundle", precision="fp32", catalog=run.catalog)
    (outputs,) = predictor.outputs([run.rows["validation"].raw(0)], batch_size=1)
    assert outputs["classes"].dtype == np.uint8 and outputs["classes"].shape == (40, 40)


def test_it_answers_without_torch(run: Any) -> None:
    raws = [run.rows["validation"].raw(index) for index in range(3)]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(run.folder / "bundle")],
        input=json.dumps(raws),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT / "tests",
    )
    assert done.returncode == 0, done.stderr
    ours = load(run.folder / "bundle", catalog=run.catalog).predict(raws)
    assert json.loads(done.stdout) == ours


def test_a_png_is_given_where_it_is_asked_for(run: Any) -> None:
    predictor = load(run.folder / "bundle", catalog=run.catalog)
    raw = run.rows["validation"].raw(1)
    answer = predictor.predict(raw, png=True)
    pixels = np.array(Image.open(BytesIO(base64.b64decode(answer["png"]))))
    np.testing.assert_array_equal(pixels, label_map(answer))
    assert answer["labels"] == list(CLASSES)
    assert "png" not in predictor.predict(raw)


def test_a_wide_picture_is_read_in_tiles_and_answered_whole(run: Any) -> None:
    """Both ends of a long strip are found, which no single crop sees."""
    rng = np.random.default_rng(7)
    parts = [scene(rng, 48, 40) for _ in range(4)]
    strip = np.concatenate([pixels for pixels, _ in parts], axis=1)
    truth = np.concatenate([classes for _, classes in parts], axis=1)
    predictor = load(run.folder / "bundle", catalog=run.catalog)
    whole, cut = (label_map(predictor.predict(strip, long=long)) for long in ("window", "truncate"))
    assert whole.shape == truth.shape
    right = [(found == truth).mean() for found in (whole, cut)]
    assert right[0] > 0.93 > right[1]


def test_masks_follow_the_augmentation(run: Any) -> None:
    rows = run.rows["train"]
    drawn = Epoch(seed=1, train=True, augment=run.augment)
    ((_, batch),) = iterate(rows, [np.arange(8)], drawn)
    for image, mask in zip(batch["image"].numpy(), batch["mask"].numpy(), strict=True):
        assert mask.shape == image.shape[:2]
        red = image[..., 0].astype(int) - image[..., 2]
        assert (red[mask == 1] > 40).mean() > 0.85 and (red[mask == 2] < -40).mean() > 0.85
        assert set(np.unique(mask)) <= {0, 1, 2, 255}


def test_ignored_pixels_are_neither_learned_nor_judged(run: Any) -> None:
    """The strip that every mask leaves out has no gradient, and no area."""
    rows = run.rows["train"]
    ((_, batch),) = iterate(rows, [np.arange(4)], Epoch(seed=0))
    logits = torch.zeros(4, 3, 40, 40, requires_grad=True)
    batch["mask"][:, 10:20] = 255
    run.objective.loss({"logits": logits}, batch).mean().backward()
    assert (logits.grad[:, :, 10:20] == 0).all() and (logits.grad[:, :, 21:] != 0).any()


def test_a_picture_that_holds_one_class_has_one_segment(run: Any) -> None:
    answers = run_answers(run)
    window = Window(
        {
            "frame": np.eye(2, 3, dtype=np.float32),
            "extent": np.array([6, 4], np.float32),
            "picture": np.array([6, 4], np.float32),
        },
        {"classes": np.ones((4, 6), np.uint8)},
    )
    answer = answers.answer(b"", [window], {"png": False})
    assert [each["label"] for each in answer["segments"]] == ["disc"]
    assert answer["segments"][0]["share"] == 1.0


def run_answers(run: Any) -> Any:
    from multigraft.runtime.answers import make_answers

    return make_answers(run.resolved.task, run.targets)


def test_a_server_answers_a_wide_picture_as_the_predictor_does(run: Any) -> None:
    (model,) = open_models({"scenes": run.folder / "bundle"}, precision="fp32", threads=1)
    predictor = load(run.folder / "bundle", precision="fp32", catalog=run.catalog)
    content = Path(run.rows["validation"].raw(1)).read_bytes()
    with serving(model) as served:
        for asked in ({}, {"png": "true"}):
            sent = {"files": ("scene.png", content, "image/png")}
            (answer,) = served.client.post("/predict", files=sent, data=asked).json()["answers"]
            assert answer == predictor.predict(content, png="png" in asked)


def test_evaluation_with_the_mirror_image_is_what_a_deployer_gets(run: Any) -> None:
    predictor = load(run.folder / "bundle", precision="fp32", catalog=run.catalog)
    rows, answers = run.rows["validation"], run.metrics.answers
    ours = run.evaluate(asked={"flip": True}).metrics["miou"].value
    raws = [rows.raw(number) for number in range(len(rows))]
    found = predictor.predict(raws, flip=True)
    scored = [answers.score(each, rows.target_row(n)) for n, each in enumerate(found)]
    kept = {name: np.stack([row[name] for row in scored]) for name in scored[0]}
    assert ours == pytest.approx(answers.summarise(kept)["miou"], abs=1e-3)
    assert found != predictor.predict(raws)
    picture = Image.open(raws[0]).convert("RGB")
    straight, mirrored = (
        label_map(predictor.predict(each, flip=True))
        for each in (picture, ImageOps.mirror(picture))
    )
    assert (straight == mirrored[:, ::-1]).mean() > 0.99  # but for rounding, where two are equal


def test_a_page_without_a_server_is_asked_for_no_png(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = stand_in_engine(tmp_path / "packages", monkeypatch)
    made = write_site(run.folder / "bundle", tmp_path / "site", packages=packages)
    facts = json.loads((made / "site.json").read_text())
    assert (facts["answers"], facts["asks"]) == ("segmentation", {})


def test_the_card_says_that_pixels_are_answered(run: Any) -> None:
    card = (run.folder / "bundle" / "README.md").read_text()
    assert "It answers pixels of 3 labels: `ground`, `disc`, `square`." in card


def test_the_levels_of_frozen_blocks_are_replayed(tmp_path: Path) -> None:
    """A training in which the last stage learns goes on from the maps that earlier ones gave, and
    ends as one that computes them."""
    found = []
    for way in ("on", "off"):
        folder = tmp_path / way
        folder.mkdir()
        training = {"epochs": 1, "batch_size": 8, "augment": "none", "optimizer": "sgd"}
        training |= {"precision": "fp32", "compile": "off", "replay": way, "workers": 0}
        given = recipe(folder, strategy={"name": "partial", "blocks": 1}, training=training)
        with heard() as said:
            run = Engine([multigraft_vision], discover=False).start(given, "finetune")
        found.append({name: each.numpy() for name, each in run.graft.state_dict().items()})
        assert any("replaying" in line for line in said) == (way == "on"), said
    for name, each in found[0].items():
        np.testing.assert_allclose(each, found[1][name], rtol=1e-3, atol=1e-5, err_msg=name)


def test_the_bundle_has_the_figures_of_its_run(run: Any, tmp_path: Path) -> None:
    figures_agree(run, table(tmp_path, 9, seed=4))
