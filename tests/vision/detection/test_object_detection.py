"""Object detection from files to answers: what was learned is what is served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import multigraft as mg
from helpers.bundle_figures import figures_agree
from helpers.npm_archives import stand_in_engine
from multigraft import RowError
from multigraft.plugins.catalog import Catalog
from multigraft.recipe.resolve import read_recipe
from multigraft.runs.assembly import assemble
from multigraft.runtime.answers.boxes import overlaps
from multigraft.runtime.web.site import write_site
from multigraft.training.batch_stream import BatchStream
from multigraft.training.setup import build_optimizer
from multigraft_vision.detection.objective import TOO_SMALL
from multigraft_vision.detection.rows import object_rows
from multigraft_vision.reader import image_reader

BOX = {"label": "cat", "box": [1, 2, 3.5, 4]}


def test_it_learns_where_the_objects_are(run: mg.Run) -> None:
    metrics = run.evaluate().metrics
    assert metrics["ap50"].value > 0.25
    low, high = metrics["ap"].low, metrics["ap"].high
    assert low is not None and high is not None and low < metrics["ap"].value < high
    assert {"ap75", "ap_small", "ar_1", "ar_10", "ar_100", "ap_brick", "ap_leaf"} <= set(metrics)


def test_evaluation_gate_and_bundle_give_one_figure(
    run: mg.Run, bundle: Path, pictures: Path
) -> None:
    told = json.loads((bundle / "bundle.json").read_text())["precisions"]["fp32"]
    ours = run.evaluate().metrics["ap"].value
    assert told["metric"] == "ap"
    assert told["value"] == pytest.approx(ours, abs=1e-9)
    answers, rows = run.metrics.answers, run.rows["validation"]
    assert answers is not None
    found = mg.load(bundle, precision="fp32").predict([rows.raw(n) for n in range(len(rows))])
    scored = [answers.score(each, rows.row(n)) for n, each in enumerate(found)]
    kept = answers.together({name: np.stack([row[name] for row in scored]) for name in scored[0]})
    assert answers.summarise(kept)["ap"] == pytest.approx(ours, abs=1e-9)


def test_evaluation_with_the_mirror_image_is_what_a_deployer_gets(
    run: mg.Run, bundle: Path
) -> None:
    predictor = mg.load(bundle, precision="fp32")
    assert set(predictor.asks) == {"threshold", "iou", "top_k", "flip"}
    ours = run.evaluate(asked={"flip": True, "iou": 0.5})
    assert ours.facts["asked"] == '{"flip": true, "iou": 0.5}'
    answers, rows = run.metrics.answers, run.rows["validation"]
    assert answers is not None
    raws = [rows.raw(n) for n in range(len(rows))]
    found = predictor.predict(raws, flip=True, iou=0.5)
    assert found != predictor.predict(raws, iou=0.5)
    scored = [answers.score(each, rows.row(n)) for n, each in enumerate(found)]
    kept = answers.together({name: np.stack([row[name] for row in scored]) for name in scored[0]})
    assert ours.metrics["ap"].value == pytest.approx(answers.summarise(kept)["ap"], abs=1e-9)
    plain = run.evaluate()
    assert "asked" not in plain.facts and plain.metrics["ap"].value != ours.metrics["ap"].value


def test_the_mirror_image_is_seen_in_tiles_too(bundle: Path, pictures: Path) -> None:
    predictor = mg.load(bundle, precision="fp32")
    tiled = predictor.with_reader(image_reader({**predictor.reader.spec(), "fit": "center"}))
    path = pictures / "held" / "002.png"
    one = Image.open(path).resize((64, 64), Image.Resampling.BICUBIC)
    wide = Image.new("RGB", (128, 64), (100, 100, 100))
    wide.paste(one, (64, 0))
    found = tiled.predict(wide, flip=True, threshold=0.2)["objects"]
    back = tiled.predict(ImageOps.mirror(wide), flip=True, threshold=0.2)["objects"]
    assert found
    told = [(each["label"], pytest.approx(each["score"], abs=1e-5)) for each in found]
    assert [(each["label"], each["score"]) for each in back] == told
    boxes = np.array([each["box"] for each in back])
    wanted = np.array([128, 0, 128, 0]) - boxes[:, [2, 1, 0, 3]] * [1, -1, 1, -1]
    np.testing.assert_allclose([each["box"] for each in found], wanted, atol=0.02)


def test_int8_is_judged_by_average_precision(bundle: Path) -> None:
    told = json.loads((bundle / "bundle.json").read_text())["precisions"]["int8"]
    assert told["metric"] == "ap"
    assert told["lost"] is not None and abs(told["lost"]) < 10, told["reason"]
    card = (bundle / "README.md").read_text()
    assert "It answers objects of 2 labels: `brick`, `leaf`." in card


def test_boxes_are_those_of_the_picture_as_it_was_given(bundle: Path, pictures: Path) -> None:
    predictor = mg.load(bundle, precision="fp32")
    listed = json.loads((pictures / "held" / "_annotations.coco.json").read_text())
    sizes = [each["bbox"][2] * each["bbox"][3] for each in listed["annotations"]]
    widest = listed["annotations"][int(np.argmax(sizes))]
    path = pictures / "held" / f"{widest['image_id']:03d}.png"
    large = Image.open(path).resize((640, 480), Image.Resampling.NEAREST)
    (one,) = predictor.predict(path, top_k=1)["objects"]
    (ten,) = predictor.predict(large, top_k=1)["objects"]
    np.testing.assert_allclose(np.array(ten["box"]) / 10, one["box"], atol=1.5)


def test_a_wide_picture_is_answered_in_tiles(bundle: Path, pictures: Path) -> None:
    predictor = mg.load(bundle, precision="fp32")
    spec = {**predictor.reader.spec(), "fit": "center"}
    tiled = predictor.with_reader(image_reader(spec))
    paths = [pictures / "held" / f"{number:03d}.png" for number in range(12)]
    sure = [predictor.predict(path, top_k=1)["objects"] for path in paths]
    scores = [each[0]["score"] if each else 0.0 for each in sure]
    best = int(np.argmax(scores))
    wide = Image.new("RGB", (192, 64), (100, 100, 100))
    wide.paste(Image.open(paths[best]).resize((64, 64), Image.Resampling.BICUBIC), (0, 0))
    found = tiled.predict(wide)["objects"]
    assert found == tiled.predict([wide], long="window")[0]["objects"]
    wanted = np.array([sure[best][0]["box"]]) * [1, 64 / 48, 1, 64 / 48]
    boxes = np.array([each["box"] for each in found])
    assert overlaps(wanted, boxes).max() > 0.7
    assert len(predictor.reader.windows(wide)) == 1, "squashed pictures are seen whole"


def test_a_page_without_a_server_may_be_asked_the_same(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = stand_in_engine(tmp_path / "packages", monkeypatch)
    made = write_site(bundle, tmp_path / "web", packages=packages)
    facts = json.loads((made / "site.json").read_text())
    assert facts["answers"] == "detection"
    assert set(facts["asks"]) == {"threshold", "iou", "top_k"}
    assert facts["reader"]["places"] is True


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ([BOX], [BOX]),
        (json.dumps([BOX]), [BOX]),
        ([{"category": 3, "bbox": [1, 2, 3.5, 4], "id": 9}], [{**BOX, "label": "3", "id": 9}]),
        ({"bbox": [[1, 2, 3.5, 4]], "category": ["cat"]}, [BOX]),
        ([{**BOX, "iscrowd": 1, "area": 9}], [{**BOX, "crowd": True, "area": 9.0}]),
        ([{**BOX, "iscrowd": "0"}, {**BOX, "crowd": "1"}], [BOX, {**BOX, "crowd": True}]),
        ([], []),
    ],
)
def test_what_a_cell_of_objects_may_hold(cell: Any, wanted: Any) -> None:
    assert object_rows({"image": "a.png", "objects": cell})["objects"] == wanted


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("{", "is no JSON"),
        (3, "is int, no list of objects"),
        ([3], "object 1 is '3'; a label and a box are needed"),
        ([{"box": [1, 2, 3, 4]}], "object 1: the label is missing"),
        ([BOX, {"label": "a", "box": [1, 2, 3]}], "object 2: the box is .*; four finite numbers"),
        ([{"label": "a", "box": [1, 2, -3, 4]}], "has no width and height"),
        ([{**BOX, "area": "9"}], "object 1: the area is .*; a number is needed"),
        ([{**BOX, "crowd": "some"}], "object 1: whether it is a crowd is told by 'some'; 0 or 1"),
        ({"bbox": [[1, 2, 3, 4]], "category": []}, "no lists of one length"),
    ],
)
def test_a_cell_that_cannot_be_used_says_why(cell: Any, said: str) -> None:
    with pytest.raises(RowError, match=said) as raised:
        object_rows({"objects": cell})
    assert raised.value.column == "objects"


def test_rows_without_the_column_are_told_of_the_formats() -> None:
    with pytest.raises(RowError, match=r"data\.format: coco, voc or yolo"):
        object_rows({"image": "a.png", "label": "b"})


def test_a_recipe_that_gives_no_rate_and_epochs_gets_the_tasks(
    pictures: Path, tmp_path: Path
) -> None:
    catalog = Catalog()
    resolved = read_recipe(
        {
            "task": "object-detection",
            "backbone": {"name": "resnet-tiny", "weights": "scratch"},
            "data": {"train": str(pictures / "held"), "format": "coco", "split": {"test": 0}},
            "output": str(tmp_path / "run"),
        },
        catalog,
    )
    (tmp_path / "run").mkdir()
    run = assemble(resolved, catalog, tmp_path / "run", dispatch=lambda verb, run: None)  # type: ignore[arg-type, return-value]
    assert build_optimizer(run, 10).rate == 1e-3
    schedule = BatchStream(run, torch.device("cpu")).schedule
    assert schedule.total_steps == 24 * len(schedule.batches(0))


@pytest.mark.parametrize(("scale", "told"), [(0.1, True), (0.5, False)])
def test_objects_that_no_input_shows_are_told(run: mg.Run, scale: float, told: bool) -> None:
    frame = np.array([[scale, 0, 5], [0, scale, 0]], np.float32)
    boxes = np.array([[0, 0, 9, 9], [0, 0, 90, 90]], np.float32)
    row = {"frame": frame, "boxes": boxes, "classes": np.array([0, -2])}
    none = {**row, "boxes": boxes[:0], "classes": np.array([], np.int64)}
    objective = run.objective
    assert list(objective.doubts([none, row])) == [TOO_SMALL] * told
    assert list(objective.doubts([none])) == []


def test_the_bundle_has_the_figures_of_its_run(run: mg.Run, bundle: Path, pictures: Path) -> None:
    assert bundle == run.folder / "bundle"
    figures_agree(run, pictures / "held")
