"""A third party's task of two branches, from a table to answers: spans in texts, masks on pictures
of any size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers import captioned, greys
from helpers.packages import ROOT
from multigraft.engine import Engine
from multigraft.runtime import load
from multigraft.testing import check_plugin

OTHER = [
    {"words": "Ada met Grace Hopper near Rome in the rain", "grey": "00/99"},
    {"words": "spring", "grey": "999999999999999/" * 20 + "0" * 15},
]
WITHOUT_TORCH = """
import json, sys
from multigraft.testing.offline import Blocker
sys.meta_path.insert(0, Blocker())
import helpers.captioned
import multigraft as mg
catalog = mg.Catalog([helpers.captioned], discover=False)
answers = mg.load(sys.argv[1], catalog=catalog).predict(json.load(sys.stdin))
json.dump(answers, sys.stdout)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("captioned")
    table = folder / "rows.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in captioned.rows(80)))
    recipe = {
        "task": "marks",
        "backbone": {"words": "wordnet-tiny", "grey": "lattice-tiny"},
        "data": {"train": str(table), "split": {"validation": 0.25, "test": 0}},
        "training": {
            **{"epochs": 25, "batch_size": 8, "learning_rate": 0.02, "precision": "fp32"},
            **{"compile": "off", "workers": 0},
        },
        "evaluation": {"split": "validation", "bootstrap": 20},
        "export": {"precisions": ["fp32", "int8"], "rows": 10, "budget": 5},
        "output": str(folder / "run"),
    }
    run = Engine([captioned], discover=False, strict=True).start(recipe, "finetune")
    run.export()
    return run


def test_both_branches_learn_and_the_bundle_scores_the_same(run: Any) -> None:
    metrics = {name: each.value for name, each in run.evaluate().metrics.items()}
    assert metrics["f1_span"] > 0.8 and metrics["accuracy_pixels"] > 0.95
    predictor = load(run.folder / "bundle", catalog=run.catalog, precision="fp32")
    rows = run.rows["validation"]
    answers = predictor.predict([rows.raw(index) for index in range(len(rows))])
    maker = captioned.Marks(run.targets)
    right, answered, expected = sum(
        maker.score(answer, rows.row(index))["spans"] for index, answer in enumerate(answers)
    ).tolist()
    assert metrics["f1_span"] == pytest.approx(2 * right / (answered + expected), abs=1e-12)


def test_it_answers_without_torch(run: Any) -> None:
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
    assert [greys.digits(each["mask"]).shape for each in answers] == [(2, 2), (21, 15)]
    assert [(span["text"], span["label"]) for span in answers[0]["spans"]] == [
        ("Ada", "who"),
        ("Grace Hopper", "who"),
        ("Rome", "where"),
    ]
    here = load(run.folder / "bundle", catalog=run.catalog)
    assert answers == here.predict(OTHER), "one batch, since int8 reads a scale from all its rows"


def test_each_branch_has_a_graph_of_its_own(run: Any) -> None:
    bundle = load(run.folder / "bundle", catalog=run.catalog).bundle
    assert bundle.format == 2
    assert {name: each.modality for name, each in bundle.branches.items()} == {
        "words": "words",
        "grey": "grey",
    }
    assert {name: file.name for name, file in _graphs(run.folder / "bundle").items()} == {
        "model.onnx": "model.onnx",
        "branch-words.onnx": "branch-words.onnx",
        "branch-grey.onnx": "branch-grey.onnx",
        **{
            name: name
            for entry in bundle.precisions.values()
            for name in entry.graphs.values()
            if entry.accepted
        },
    }
    assert {port.name: port.shape for port in bundle.inputs} == {
        "words.ids": ("batch", "words_length"),
        "words.mask": ("batch", "words_length"),
        "grey.pixels": ("batch", "grey_height", "grey_width"),
        "grey.real": ("batch", "grey_height", "grey_width"),
    }


def _graphs(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in folder.glob("*.onnx")}


def test_it_passes_the_kit(tmp_path: Path) -> None:
    check_plugin(captioned)
