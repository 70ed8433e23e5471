"""Test-time augmentation: what is answered of a value and its mirror image together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

import multigraft as mg
from helpers.bundle_figures import figures_agree
from helpers.toy_runs import exported
from multigraft.cli import main
from multigraft.contracts.answers import Window
from multigraft.contracts.frames import mirror, scaling, shift, then
from multigraft.contracts.options import defaults
from multigraft.errors import BundleError, PredictError
from multigraft.runtime.answers import ANSWERS
from multigraft.runtime.answers.detection import Detection
from multigraft.runtime.answers.segmentation import Segmentation
from multigraft.runtime.flipping import FLIP, asks_of
from multigraft.runtime.serving.model import Model
from multigraft_vision.images import ImageReader
from multigraft_vision.placed_images import PlacedImageReader

LABELS = ["cat", "dog"]
IMAGES = ImageReader(
    size=(32, 32), crop=1.0, interpolation="bilinear", fit="center", max_pixels=10**6
)


def test_it_is_offered_where_reader_and_graph_allow_it() -> None:
    numbers, words = exported("numbers")[0].reader, ["probabilities", "logits"]
    assert FLIP in asks_of(ANSWERS["classification"]({}), IMAGES, words)
    assert FLIP not in asks_of(ANSWERS["classification"]({}), numbers, words)
    assert FLIP not in asks_of(ANSWERS["embedding"]({}), IMAGES, ["embedding"])
    pixels = Segmentation({"labels": LABELS})
    assert FLIP in asks_of(pixels, IMAGES, ["classes", "logits"])
    assert FLIP not in asks_of(pixels, IMAGES, ["classes"])


@pytest.mark.parametrize("size", [(32, 32), (200, 70), (70, 201)])
def test_a_mirrored_row_says_where_its_pixels_lie(size: tuple[int, int]) -> None:
    reader = PlacedImageReader(IMAGES)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8))
    for row in reader.windows(picture):
        found = reader.mirrored(row)
        np.testing.assert_array_equal(found["image"], row["image"][:, ::-1])
        np.testing.assert_allclose(found["frame"], then(row["frame"], mirror(32)), rtol=1e-6)
        again = reader.mirrored(found)
        assert all(np.array_equal(again[name], array) for name, array in row.items())


def window(
    boxes: Any, scores: Any, frame: np.ndarray, picture: tuple[int, int], *, flip: bool = False
) -> Window:
    """A tile of 100 pixels; with ``flip`` its mirror image, of which a graph tells the same."""
    found = np.array(boxes, np.float32).reshape(-1, 4)
    if flip:
        found = np.array([100, 0, 100, 0]) - found[:, [2, 1, 0, 3]] * [1, -1, 1, -1]
        frame = then(frame, mirror(100))
    row = {
        "frame": np.asarray(frame, np.float32),
        "extent": np.array([100, 100], np.float32),
        "picture": np.array(picture, np.float32),
    }
    outputs = {"boxes": found.astype(np.float32), "scores": np.array(scores, np.float32)}
    return Window(row, outputs)


TILES = (
    ([[10, 20, 100, 60], [5, 70, 30, 90]], [[0.7, 0], [0, 0.6]], scaling(1, 1)),
    ([[0, 21, 80, 61], [60, 60, 90, 90]], [[0.8, 0], [0, 0.5]], shift(-60, 0)),
)


def objects(*windows: Window, **asked: Any) -> Any:
    answers = Detection({"labels": LABELS})
    return answers.answer(None, windows, {**defaults(answers.asks), **asked})["objects"]


@pytest.mark.parametrize("tiles", [TILES[:1], TILES[1:], TILES])
def test_boxes_that_both_views_tell_are_told_once(tiles: Any) -> None:
    straight = [window(*each, (160, 100)) for each in tiles]
    mirrored = [window(*each, (160, 100), flip=True) for each in tiles]
    assert objects(*straight, *mirrored, flip=True) == objects(*straight)
    assert objects(*mirrored) == objects(*straight), "cut off at the same sides"


def test_of_two_views_the_surer_box_is_told() -> None:
    frame, size = scaling(1, 1), (100, 100)
    straight = window([[10, 20, 50, 60]], [[0.4, 0]], frame, size)
    boxes, scores = [[12, 20, 50, 60], [70, 70, 90, 90]], [[0.9, 0], [0, 0.3]]
    surer = window(boxes, scores, frame, size, flip=True)
    found = objects(straight, surer, flip=True)
    assert [(each["label"], each["box"]) for each in found] == [
        ("cat", [12, 20, 50, 60]),
        ("dog", [70, 70, 90, 90]),
    ]


def test_classes_are_those_of_the_mean_logits() -> None:
    straight = np.array([[[2.0, 0.0]], [[0.0, 1.0]]], np.float32)
    other = np.array([[[5.0, 0.0]], [[0.0, 1.0]]], np.float32)  # mirrored: cat at the right
    size = {"extent": np.array([2, 1], np.float32), "picture": np.array([2, 1], np.float32)}
    answers = Segmentation({"labels": LABELS})
    classes = np.array([[0, 1]], np.uint8)
    windows = [
        Window({"frame": frame, **size}, {"classes": classes, "logits": logits})
        for frame, logits in ((scaling(1, 1), straight), (mirror(2), other))
    ]
    plain = answers.answer(None, windows[:1], {"png": False})
    assert [each["label"] for each in plain["segments"]] == ["cat", "dog"]
    both = answers.answer(None, windows, {"png": False, "flip": True})
    assert [(each["label"], each["share"]) for each in both["segments"]] == [("cat", 1.0)]
    short = Window(windows[0].row, {"classes": classes, "logits": straight[:1]})
    with pytest.raises(BundleError, match=r"logits \[1, 1, 2\] for 2 classes"):
        answers.answer(None, [short, windows[1]], {"png": False, "flip": True})


KINDS: dict[str, tuple[str, list[Any]]] = {
    "classification": ("label", ["a", "b", "c"]),
    "multilabel": ("labels", [["a"], ["a", "b"], ["b"]]),
    "regression": ("target", [1.0, 2.5, 7.0]),
}


@pytest.fixture(scope="module", params=KINDS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tiny network that learned of noise, in pictures of its own size, and its bundle."""
    folder = tmp_path_factory.mktemp(request.param)
    rng, (column, cells) = np.random.default_rng(0), KINDS[request.param]
    rows = []
    for number in range(24):
        name = f"{number:02d}.png"
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / name)
        rows.append(json.dumps({"image": name, column: cells[number % len(cells)]}))
    (folder / "rows.jsonl").write_text("\n".join(rows))
    run = mg.finetune(
        task=f"image-{request.param}",
        backbone={"name": "resnet-tiny", "weights": "scratch"},
        data={
            **{"train": str(folder / "rows.jsonl"), "split": {"validation": 0.25, "test": 0.25}},
            "leakage": {"near": False},
        },
        training={"steps": 6, "batch_size": 6, "learning_rate": 0.01, "workers": 0},
        evaluation={"bootstrap": 20, "split": "test"},
        export={"precisions": ["fp32"], "rows": 4},
        output=folder / "run",
    )
    return run, mg.load(run.export().files["bundle"])


def numbers_in(answer: dict[str, Any]) -> Any:
    return answer.get("scores", answer.get("value"))


def test_an_answer_is_the_mean_of_both_views(trained: Any) -> None:
    run, predictor = trained
    raws = [Image.open(run.rows["test"].raw(n)).convert("RGB") for n in range(4)]
    found = predictor.predict(raws, flip=True)
    pairs = [(each, ImageOps.mirror(each)) for each in raws]
    changed = False
    for answer, views in zip(found, pairs, strict=True):
        one, other = (numbers_in(each) for each in predictor.predict(list(views)))
        if isinstance(one, dict):
            wanted: Any = {label: (score + other[label]) / 2 for label, score in one.items()}
        else:
            wanted = (one + other) / 2
        assert numbers_in(answer) == pytest.approx(wanted, abs=1e-5)
        changed = changed or one != pytest.approx(other, abs=1e-3)
    assert changed, "a mirror image looks different to it"
    assert predictor.predict(raws[0], flip=False) == predictor.predict(raws[0])


def test_evaluation_asks_as_a_deployer_does(trained: Any, tmp_path: Path) -> None:
    run, predictor = trained
    rows = run.rows["test"]
    report = run.evaluate(asked={"flip": True}, rows=tmp_path / "rows.jsonl")
    assert report.facts["asked"] == '{"flip": true}'
    told = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    found = predictor.predict([rows.raw(n) for n in range(len(rows))], flip=True)
    values = {name: each.value for name, each in report.metrics.items()}
    if "accuracy" in values:
        right = [each["label"] == rows.row(n)["label"] for n, each in enumerate(found)]
        assert values["accuracy"] == pytest.approx(np.mean(right))
        assert [each["correct"] for each in told] == right
    elif "subset_accuracy" in values:
        right = [set(each["labels"]) == set(rows.row(n)["labels"]) for n, each in enumerate(found)]
        assert values["subset_accuracy"] == pytest.approx(np.mean(right))
    else:
        off = [each["value"] - rows.row(n)["target"] for n, each in enumerate(found)]
        assert values["mae"] == pytest.approx(np.abs(off).mean(), rel=1e-4)
    for each, answer in zip(told, found, strict=True):
        wanted = numbers_in(answer)
        assert (each["scores"] or each["answer"]) == pytest.approx(wanted, abs=1e-5)
    assert values["loss"] != run.evaluate().metrics["loss"].value


def test_what_cannot_be_asked_of_an_evaluation_is_refused(trained: Any) -> None:
    run, _ = trained
    with pytest.raises(PredictError, match="take no 'iou'"):
        run.evaluate(asked={"iou": 0.3})
    with pytest.raises(PredictError, match="flip is 'yes'; it should be true or false"):
        run.evaluate(asked={"flip": "yes"})
    words, _ = exported("numbers")
    with pytest.raises(PredictError, match="take no 'flip'; nothing may be asked"):
        words.evaluate(asked={"flip": True})


def test_the_command_line_asks_too(trained: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = trained
    assert main(["evaluate", str(run.folder), "--ask", "flip=true", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    wanted = run.evaluate(asked={"flip": True}).metrics["loss"].value
    assert told["metrics"]["loss"]["value"] == pytest.approx(wanted, rel=1e-5)


def test_a_server_offers_it(trained: Any) -> None:
    _, predictor = trained
    asks = Model("m", predictor, predictor.modality).describe()["asks"]
    assert asks[FLIP]["types"] == ["boolean"] and asks[FLIP]["default"] is False


def test_the_bundle_has_the_figures_of_its_run(trained: Any) -> None:
    run, _ = trained
    plain = figures_agree(run, without=())
    both = figures_agree(run, without=(), asked={"flip": True})
    assert both.metrics["loss"].value != plain.metrics["loss"].value
