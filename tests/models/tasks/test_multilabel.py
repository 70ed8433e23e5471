"""Multi-label classification from rows to a bundle, on series."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F

import multigraft as mg
import multigraft_series
from helpers.bundle_figures import figures_agree
from multigraft.contracts.objectives import RowLoss
from multigraft.engine import Engine
from multigraft.errors import DataError, MultigraftError, RowError
from multigraft.evaluation.measure import measure_split
from multigraft.models.tasks import multilabel_task
from multigraft.runs.run import Run
from multigraft.runtime.predictor import Predictor
from multigraft.training.probe import pooled_features

Start = Callable[..., Run]


class Plugin:
    @mg.hookimpl
    def register_tasks(self) -> list[mg.Task]:
        return [multilabel_task("series-multilabel", "series")]


def write(path: Path, rows: int = 240, *, seed: int = 0) -> Path:
    """Series that rise, are high, are loud, or several of it, or nothing; ``rare`` is in one."""
    rng = np.random.default_rng(seed)
    lines = []
    for number in range(rows):
        rises, high, loud = rng.random(3) < (0.4, 0.3, 0.1)
        values = rng.normal(0, 2 if loud else 0.5, 12) + np.linspace(0, 3 * rises, 12) + 4 * high
        labels = [
            *(["rises"] if rises else []),
            *(["high"] if high else []),
            *(["loud"] if loud else []),
            *(["rare"] if number == 7 else []),
        ]
        lines.append({"series": " ".join(f"{value:.3f}" for value in values), "labels": labels})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("rows") / "rows.jsonl")


@pytest.fixture(scope="module")
def start(train: Path, tmp_path_factory: pytest.TempPathFactory) -> Start:
    folder = tmp_path_factory.mktemp("labels")
    numbers = iter(range(99))

    def begin(**fields: Any) -> Run:
        recipe: dict[str, Any] = {
            "task": "series-multilabel",
            "backbone": "tcn-tiny",
            "data": {"train": str(train), "split": {"validation": 0.25, "test": 0.25}},
            "training": {"epochs": 4, "batch_size": 16, "learning_rate": 0.01, "precision": "fp32"},
            "evaluation": {"bootstrap": 20},
            "export": {"precisions": ["fp32"]},
            "output": str(folder / f"run-{next(numbers)}"),
        }
        return Engine([multigraft_series, Plugin()], discover=False).start(
            {**recipe, **fields}, "finetune"
        )

    return begin


@pytest.fixture(scope="module")
def run(start: Start) -> Run:
    return start()


@pytest.fixture(scope="module")
def predictor(run: Run) -> Predictor:
    """Without the plugin of the task: its answers are core's."""
    bundle = run.export().files["bundle"]
    return mg.load(bundle, catalog=mg.Catalog([multigraft_series], discover=False))


def held(run: Run, split: str) -> tuple[list[Any], np.ndarray]:
    """Raw values, and which labels each has, without the objective."""
    rows = run.rows[split]
    cells = rows.column("labels")
    wanted = np.array([[label in cell for label in run.targets["labels"]] for cell in cells])
    return [rows.raw(number) for number in range(len(rows))], wanted


def answered(run: Run, answers: list[dict[str, Any]]) -> np.ndarray:
    return np.array(
        [[label in answer["labels"] for label in run.targets["labels"]] for answer in answers]
    )


def test_what_people_get_is_what_is_measured(run: Run, predictor: Predictor) -> None:
    """Bundle, evaluation, gate and reopened run: one F1, with the thresholds of the bundle."""
    raws, wanted = held(run, "test")
    found = f1_score(wanted, answered(run, predictor.predict(raws)), average="micro")
    assert 0.5 < found < 1, "neither everything nor nothing is right"
    assert run.evaluate().metrics["f1_micro"].value == pytest.approx(found, abs=1e-12)
    again = Engine([multigraft_series, Plugin()], discover=False).open(run.folder)
    assert again.evaluate().metrics["f1_micro"].value == pytest.approx(found, abs=1e-12)
    gate = predictor.bundle.precisions["fp32"]
    assert gate.metric == "f1_micro"
    assert gate.value == pytest.approx(found, abs=1e-12)
    assert predictor.bundle.targets["thresholds"] == run.targets["thresholds"]
    assert set(run.targets["thresholds"]) != {0.5}
    card = (run.folder / "bundle" / "README.md").read_text(encoding="utf-8")
    assert "It answers any of 4 labels: `high`, `loud`, `rare`, `rises`." in card


def test_the_epoch_that_was_kept_is_judged_with_its_thresholds(
    run: Run, predictor: Predictor
) -> None:
    raws, wanted = held(run, "validation")
    found = f1_score(wanted, answered(run, predictor.predict(raws)), average="micro")
    assert run.facts["best"]["value"] == pytest.approx(found, abs=1e-12)
    assert max(entry["metrics"]["f1_micro"] for entry in run.history) == run.facts["best"]["value"]


def test_half_asks_for_no_tuning(start: Start) -> None:
    run = start(task={"name": "series-multilabel", "thresholds": "half"})
    assert run.targets["thresholds"] == [0.5] * 4


def test_without_validation_rows_nothing_is_tuned_on_the_test(start: Start, train: Path) -> None:
    run = start(data={"train": str(train), "split": {"validation": 0, "test": 0.25}})
    assert run.targets["thresholds"] == [0.5] * 4
    kept = measure_split(run.graft, run.metrics, run.rows["test"], **run.reading())
    wanted = f1_score(kept["held"], kept["probabilities"] >= 0.5, average="micro", zero_division=0)
    assert run.evaluate().metrics["f1_micro"].value == pytest.approx(wanted, abs=1e-12)


def test_a_report_says_how_each_label_does(run: Run) -> None:
    report = run.evaluate()
    (table,) = report.tables.values()
    assert [line[0] for line in table[1:]][:2] == ["rises", "high"]
    names = {"(no label)", *run.targets["labels"]}
    assert {name for row in report.worst for name in (row.expected or "").split(", ")} <= names
    assert run.facts["baseline"]["metric"] == "f1_micro"
    assert "always answering" in run.facts["baseline"]["answer"]


def test_a_label_of_one_row_is_in_training_and_told(run: Run) -> None:
    assert "rare" in {label for cell in run.rows["train"].column("labels") for label in cell}
    notes = " ".join(run.facts["notes"])
    assert "1 of 4 labels has a single training row" in notes
    assert "rows without a label:" in notes


def test_an_unknown_label_in_held_out_rows_is_named(
    start: Start, train: Path, tmp_path: Path
) -> None:
    strange = tmp_path / "test.jsonl"
    strange.write_text('{"series": "1 2 3 4 5 6", "labels": ["rises", "hihg"]}\n')
    with pytest.raises(DataError, match=r"'hihg' was not seen in training; did you mean 'high'"):
        start(data={"train": str(train), "test": str(strange)})


def test_the_loss_is_torchs_and_its_weights_scikit_learns(run: Run) -> None:
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(5, 4)).astype(np.float32))
    wanted = torch.from_numpy(rng.random((5, 4)) < 0.5)
    loss: RowLoss = run.objective.loss({"logits": logits}, {"held": wanted})
    expected = F.binary_cross_entropy_with_logits(logits, wanted.float())
    torch.testing.assert_close(loss.mean(), expected)
    brief = run.objective.brief  # type: ignore[attr-defined]
    options = {**brief.options, "class_weights": "balanced"}
    weighted = type(run.objective)(mg.Brief(**{**vars(brief), "options": options}))  # type: ignore[call-arg]
    _, rows = held(run, "train")
    for label in range(4):
        sides = compute_class_weight("balanced", classes=np.array([0, 1]), y=rows[:, label])
        np.testing.assert_allclose(weighted.weights[:, label], sides, rtol=1e-6)


def test_a_head_begins_at_the_labels_shares(run: Run) -> None:
    head = run.objective.head().eval()
    features = mg.Features(pooled=torch.zeros(1, run.graft.backbone.width))
    shares = head(features, {})["logits"][0].sigmoid()
    _, rows = held(run, "train")
    np.testing.assert_allclose(shares.detach().numpy(), rows.mean(0), atol=0.01)


def test_encode_refuses_what_training_never_saw(run: Run) -> None:
    with pytest.raises(RowError, match="was not seen in training"):
        run.objective.encode({"labels": "new"}, {})
    assert run.objective.encode({"labels": None}, {})["held"].tolist() == [False] * 4


def test_a_resumed_run_settles_the_same_thresholds(start: Start, run: Run) -> None:
    class Interrupts:
        @mg.hookimpl
        def step_end(self, step: int) -> None:
            if step == 20:
                raise KeyboardInterrupt

    engine = Engine([multigraft_series, Plugin(), Interrupts()], discover=False, strict=True)
    folder = run.folder.with_name("interrupted")
    recipe = json.loads(json.dumps(run.recipe.model_dump(mode="json")))
    with pytest.raises(KeyboardInterrupt):
        engine.start({**recipe, "output": str(folder)}, "finetune")
    resumed = Engine([multigraft_series, Plugin()], discover=False).resume(folder)
    assert resumed.facts["settled"] == run.facts["settled"]
    assert resumed.metrics_file.read_bytes() == run.metrics_file.read_bytes()


def test_a_linear_probe_is_one_logistic_regression_a_label(start: Start) -> None:
    run = start(strategy="linear-probe", training={"epochs": 1, "precision": "fp32"})
    lines = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    (strength,) = [line["solved"] for line in lines if "solved" in line]
    features, test = (pooled_features(run, run.rows[split]) for split in ("train", "test"))
    mean, scale = features.mean(0), features.std(0)
    scale = np.maximum(scale, 0.01 * scale.mean())
    _, wanted = held(run, "train")
    kept = measure_split(run.graft, run.metrics, run.rows["test"], **run.reading())
    penalty = strength * len(wanted)  # the same for each label, however many there are
    for label in range(wanted.shape[1]):
        oracle = LogisticRegression(C=1 / penalty, max_iter=5000, tol=1e-8)
        oracle.fit((features - mean) / scale, wanted[:, label])
        theirs = oracle.predict_proba((test - mean) / scale)[:, 1]
        assert np.abs(kept["probabilities"][:, label] - theirs).max() < 5e-3


def test_thresholds_in_a_record_are_checked(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    record = json.loads((folder / "run.json").read_text())
    record["settled"]["thresholds"] = [0.5, "high"]
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(MultigraftError, match="threshold"):
        Engine([multigraft_series, Plugin()], discover=False).open(folder)


def test_a_run_goes_on_with_the_head_of_its_parent(start: Start, run: Run) -> None:
    """Thresholds were settled there, and labels learned: only these must be the same."""
    again = start(backbone={"name": "tcn-tiny", "weights": str(run.folder)})
    assert again.facts["head_inherited"]


def test_the_bundle_has_the_figures_of_its_run(run: Run, predictor: Predictor) -> None:
    found = figures_agree(run, without=())
    assert found.tables == run.evaluate(run.recipe.data.train, name="there").tables
