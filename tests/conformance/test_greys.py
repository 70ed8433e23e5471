"""A third party's dense task, from a table to answers: pictures of any size, targets for each
pixel."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from helpers import greys
from helpers.packages import ROOT
from multigraft.contracts.frames import shift
from multigraft.data import Epoch, iterate
from multigraft.engine import Engine
from multigraft.errors import RecipeError
from multigraft.runtime import load
from multigraft.runtime.bundle import open_bundle
from multigraft.testing.tiny_runs import heard

ROWS = 60
OTHER = ["999999999999999/" * 20 + "0" * 15, "00/99", "0123456789"]
"""Pictures of sizes that no training picture had."""
WITHOUT_TORCH = """
import json, sys
from multigraft.testing.offline import Blocker
sys.meta_path.insert(0, Blocker())
import helpers.greys
import multigraft as mg
catalog = mg.Catalog([helpers.greys], discover=False)
answers = mg.load(sys.argv[1], catalog=catalog).predict(json.load(sys.stdin))
json.dump(answers, sys.stdout)
"""


class OnDisk:
    """The same task with masks that are files beside the table."""

    @mg.hookimpl
    def register_tasks(self) -> list[mg.Task]:
        shapes = next(task for task in greys.register_tasks() if task.name == "grey-shapes")
        objective = mg.Lazy("helpers.greys.shapes:ShapesOnDisk")
        return [replace(shapes, name="grey-files", files=("mask",), objective=objective)]


def table(folder: Path, *, files: bool) -> Path:
    """Rows of pictures with a shape each."""
    rng = np.random.default_rng(5)
    raws = greys.good(rng, ROWS, folder)
    cells = greys.cells(rng, raws)
    lines: list[Mapping[str, Any]] = []
    for number, (raw, mask, boxes) in enumerate(
        zip(raws, cells["mask"], cells["boxes"], strict=True)
    ):
        if files:
            (folder / f"mask-{number}").write_text(mask)
        lines.append({"grey": raw, "mask": f"mask-{number}" if files else mask, "boxes": boxes})
    path = folder / "pictures.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def trained(folder: Path, *, files: bool) -> Any:
    """A short training of the dense task, with pictures that are cut and mirrored."""
    recipe = {
        "task": "grey-files" if files else "grey-shapes",
        "backbone": {"name": "lattice-tiny", "weights": "scratch"},
        "data": {"train": str(table(folder, files=files)), "split": {"validation": 0.2, "test": 0}},
        "training": {
            **{"epochs": 12, "batch_size": 6, "learning_rate": 0.03, "precision": "fp32"},
            **{"compile": "off", "workers": 0, "augment": "light"},
        },
        "evaluation": {"split": "validation", "bootstrap": 20},
        "export": {"precisions": ["fp32"]},
        "output": str(folder / "run"),
    }
    engine = Engine([greys, OnDisk()], discover=False, strict=True)
    return engine.start(recipe, "finetune")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    run = trained(tmp_path_factory.mktemp("greys"), files=False)
    run.export()
    return run


def test_it_learns_pixels_and_says_so(run: Any) -> None:
    report = run.evaluate()
    predictor = load(run.folder / "bundle", catalog=run.catalog)
    rows = run.rows["validation"]
    right = pixels = 0
    for index in range(len(rows)):
        answered = greys.digits(predictor.predict(rows.raw(index))["mask"])
        wanted = greys.digits(rows.column("mask")[index])
        right, pixels = right + int((answered == wanted).sum()), pixels + wanted.size
    assert report.metrics["accuracy"].value == pytest.approx(right / pixels)
    assert right / pixels > 0.95


def test_the_bundle_names_both_axes(run: Any) -> None:
    bundle = open_bundle(run.folder / "bundle")
    assert {port.name: port.shape for port in bundle.inputs} == {
        "pixels": ("batch", "height", "width"),
        "real": ("batch", "height", "width"),
    }
    assert bundle.format == 1 and len(bundle.sample["pixels"]) == 3
    load(run.folder / "bundle", catalog=run.catalog).warmup()


def test_it_answers_pictures_of_other_sizes_without_torch(run: Any) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(run.folder / "bundle")],
        input=json.dumps(OTHER),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT / "tests",
    )
    assert finished.returncode == 0, finished.stderr
    answers = json.loads(finished.stdout)
    assert [greys.digits(answer["mask"]).shape for answer in answers] == [(21, 15), (2, 2), (1, 10)]
    alone = load(run.folder / "bundle", catalog=run.catalog)
    assert answers == [alone.predict(raw) for raw in OTHER]


def test_parts_have_tall_and_wide_pictures_in_their_shares(run: Any) -> None:
    kinds = {part: rows.column("kind") for part, rows in run.rows.items()}
    shares = {part: each.count("tall") / len(each) for part, each in kinds.items()}
    assert abs(shares["train"] - shares["validation"]) <= 1 / len(kinds["validation"])


def test_targets_move_with_the_pictures(run: Any) -> None:
    """A shape is what is bright, so masks and boxes follow from the pixels, moved or not."""
    rows = run.rows["train"]
    seen = set()
    for epoch in range(3):
        drawn = Epoch(seed=1, number=epoch, train=True, augment=run.augment)
        (loaded,) = iterate(rows, [np.arange(len(rows))], drawn)
        batch = {name: tensor.numpy() for name, tensor in loaded[1].items()}
        for index in range(len(rows)):
            real = batch["real"][index].astype(bool)
            pixels, mask = batch["pixels"][index], batch["mask"][index]
            np.testing.assert_array_equal(mask[real], greys.shape_of(pixels)[real])
            assert (mask[~real] == greys.OUTSIDE).all()
            (box,) = batch["boxes"][index]
            assert box.tolist() == greys.box_of(mask == 1)
            seen.add((index, real.sum(), tuple(box)))
    assert len(seen) > 2 * len(rows)


def test_a_box_that_was_cut_off_leaves_with_its_labels(run: Any) -> None:
    """The engine carries what goes with boxes too, and pads the rows that lost some."""
    assert run.objective.moves == {"mask": "mask", "boxes": "boxes"}
    rows = run.rows["train"]
    shifts = iter([100.0, 0.0])

    def away(row: Any, rng: Any) -> Any:
        return {**row, "frame": shift(next(shifts), 0).astype(np.float32)}

    drawn = Epoch(seed=0, train=True, augment=away)
    ((_, batch),) = iterate(rows, [np.array([0, 1])], drawn)
    assert (batch["boxes"][0] == -1).all() and (batch["boxes"][1] >= 0).all()
    assert (batch["mask"][0] == greys.OUTSIDE).all()


def test_an_augmentation_that_leaves_targets_behind_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helpers.greys.reader.Augmentation.frames", False)
    with pytest.raises(RecipeError, match=r"does not carry the targets .*\(mask, boxes\)"):
        trained(tmp_path, files=False)


@pytest.mark.parametrize(
    ("task", "reader", "said"),
    [
        ({}, {"places": False}, "reader.places: found False; task 'grey-shapes' needs True"),
        ({"reader": {"size": 3}}, {}, "needs the reader option 'size', which grey does not have"),
    ],
)
def test_a_task_has_the_reader_that_it_needs(
    tmp_path: Path, task: dict[str, Any], reader: dict[str, Any], said: str
) -> None:
    class Wishing:
        register_modalities = staticmethod(greys.register_modalities)
        register_backbones = staticmethod(greys.register_backbones)

        @mg.hookimpl
        def register_tasks(self) -> list[mg.Task]:
            return [replace(each, **task) for each in greys.register_tasks()]

    recipe = {
        "task": "grey-shapes",
        "backbone": "lattice-tiny",
        "data": str(table(tmp_path, files=False)),
        "reader": reader,
        "output": str(tmp_path / "run"),
    }
    with pytest.raises(RecipeError, match=said):
        Engine([Wishing()], discover=False).start(recipe, "finetune")


def recipe_of(folder: Path, **changes: Any) -> dict[str, Any]:
    """A training of the dense task that takes a moment."""
    return {
        "task": "grey-shapes",
        "backbone": {"name": "lattice-tiny", "weights": "scratch"},
        "data": str(table(folder, files=False)),
        "output": str(folder / "run"),
        **changes,
    }


def test_a_backbone_without_levels_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("helpers.greys.network.Lattice.levels", ())
    with pytest.raises(RecipeError, match=r"'lattice-tiny' gives no maps .*'grey-shapes' reads"):
        Engine([greys], discover=False).start(recipe_of(tmp_path), "finetune")


def test_a_frozen_pyramid_is_replayed(tmp_path: Path) -> None:
    """Every map of the frozen network is kept, and a training that replays them ends as one that
    computes them."""
    weights = []
    for replay in ("on", "off"):
        folder = tmp_path / replay
        folder.mkdir()
        training = {"epochs": 2, "precision": "fp32", "compile": "off", "replay": replay}
        recipe = recipe_of(folder, strategy="linear-probe", training={**training, "workers": 0})
        with heard() as said:
            run = Engine([greys], discover=False).start(recipe, "finetune")
        assert any("replaying" in line for line in said) == (replay == "on"), said
        weights.append(run.graft.head.linear.weight.detach().numpy())
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-5)


def test_masks_may_be_files(run: Any, tmp_path: Path) -> None:
    """The same rows, whichever way their masks are given: the same weights come out."""
    other = trained(tmp_path, files=True)
    ours, theirs = (each.graft.state_dict() for each in (run, other))
    assert all(np.array_equal(ours[name].numpy(), theirs[name].numpy()) for name in ours)


def test_a_mask_that_does_not_fit_its_picture_is_a_bad_row(tmp_path: Path) -> None:
    path = table(tmp_path, files=False)
    lines = path.read_text().splitlines()
    lines[0] = json.dumps({**json.loads(lines[0]), "mask": "01/10"})
    path.write_text("\n".join(lines))
    recipe = {"task": "grey-shapes", "backbone": "lattice-tiny", "data": str(path)}
    with pytest.raises(
        mg.MultigraftError, match=r"pictures\.jsonl row 1, column 'mask': the mask has \(2, 2\)"
    ):
        Engine([greys], discover=False).start(
            {**recipe, "output": str(tmp_path / "run")}, "finetune"
        )
