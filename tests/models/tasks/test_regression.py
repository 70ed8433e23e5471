"""Regression from rows to a bundle, on series."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr
from sklearn.linear_model import Ridge
from torch.nn import functional as F

import multigraft as mg
import multigraft_series
from helpers.bundle_figures import figures_agree
from multigraft.engine import Engine
from multigraft.errors import DataError, RecipeError
from multigraft.models.tasks import regression_task
from multigraft.runs.run import Run
from multigraft.runtime.predictor import Predictor
from multigraft.training.probe import pooled_features

Start = Callable[..., Run]


class Plugin:
    @mg.hookimpl
    def register_tasks(self) -> list[mg.Task]:
        return [regression_task("series-regression", "series")]


def write(path: Path, rows: int = 300) -> Path:
    """Series of a slope and a height, with targets far from 0 and of two scales."""
    rng = np.random.default_rng(0)
    lines = []
    for _ in range(rows):
        slope, height = rng.normal(size=2)
        values = np.linspace(0, slope, 12) + height + rng.normal(0, 0.1, 12)
        lines.append(
            {
                "series": " ".join(f"{value:.3f}" for value in values),
                "target": 1000 + 50 * slope + 20 * height + rng.normal(0, 5),
                "both": {"slope": slope, "height": 1e4 * height},
            }
        )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    folder = tmp_path_factory.mktemp("numbers")
    train, numbers = write(folder / "rows.jsonl"), iter(range(99))

    def begin(columns: dict[str, str] | None = None, **fields: Any) -> Run:
        recipe: dict[str, Any] = {
            "task": "series-regression",
            "backbone": "tcn-tiny",
            "data": {
                "train": str(train),
                "split": {"validation": 0.2, "test": 0.2},
                "columns": columns or {},
            },
            "training": {"epochs": 6, "batch_size": 16, "learning_rate": 0.01, "precision": "fp32"},
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


def predictor_of(run: Run) -> Predictor:
    """Without the plugin of the task: its answers are core's."""
    bundle = run.export().files["bundle"]
    return mg.load(bundle, catalog=mg.Catalog([multigraft_series], discover=False))


def raws(run: Run, split: str = "test") -> list[Any]:
    return [run.rows[split].raw(number) for number in range(len(run.rows[split]))]


def test_what_people_get_is_what_is_measured(run: Run) -> None:
    predictor, wanted = predictor_of(run), np.array(run.rows["test"].column("target"))
    answered = np.array([answer["value"] for answer in predictor.predict(raws(run))])
    metrics = {name: each.value for name, each in run.evaluate().metrics.items()}
    assert 0.5 < metrics["r2"] < 1
    assert metrics["mae"] == pytest.approx(np.abs(answered - wanted).mean(), rel=1e-5)
    assert metrics["pearson"] == pytest.approx(pearsonr(answered, wanted).statistic, abs=1e-6)
    gate = predictor.bundle.precisions["fp32"]
    assert (gate.metric, gate.value) == ("r2", pytest.approx(metrics["r2"], abs=1e-6))
    figures_agree(run, without=())


def test_a_run_is_told_beside_the_training_mean(run: Run) -> None:
    baseline = run.facts["baseline"]
    mean = np.mean(run.rows["train"].column("target"))
    assert baseline["metric"] == "r2" and baseline["value"] <= 0
    assert baseline["answer"] == f"always answering {mean:.4g}, the training mean"


@pytest.mark.parametrize(
    ("loss", "oracle", "monitor"),
    [
        ("mse", F.mse_loss, "r2"),
        ("mae", F.l1_loss, "d2_absolute_error"),
        ("huber", F.huber_loss, "r2"),
    ],
)
def test_losses_are_torchs_of_standardised_numbers(
    run: Run, loss: str, oracle: Any, monitor: str
) -> None:
    objective = bound(run, loss=loss)
    wanted = torch.from_numpy(objective.encode({"target": 1100}, {})["wanted"])[None]
    targets = run.targets
    assert float(wanted) == pytest.approx((1100 - targets["means"][0]) / targets["deviations"][0])
    found = torch.tensor([[0.3]])
    mean = objective.loss({"standardised": found}, {"wanted": wanted}).mean()
    torch.testing.assert_close(mean, oracle(found, wanted))
    assert objective.monitor == monitor


def bound(run: Run, **options: Any) -> Any:
    brief = run.objective.brief  # type: ignore[attr-defined]
    return type(run.objective)(
        mg.Brief(**{**vars(brief), "options": {**brief.options, **options}})  # type: ignore[call-arg]
    )


@pytest.mark.parametrize(
    "quantiles", [[0.5], [0.1, 0.9], [0.9, 0.5, 0.1], [0, 0.5, 1], ["a", 0.5], [0.5, 0.5, 0.9]]
)
def test_quantiles_that_are_none_are_refused(run: Run, quantiles: list[Any]) -> None:
    with pytest.raises(RecipeError, match=r"task\.quantiles"):
        bound(run, quantiles=quantiles)


def test_quantiles_enclose_what_they_say(start: Start) -> None:
    run = start(task={"name": "series-regression", "quantiles": [0.1, 0.5, 0.9]})
    predictor, wanted = predictor_of(run), np.array(run.rows["test"].column("target"))
    answers = predictor.predict(raws(run))
    ends = np.array([[each["quantiles"][key] for key in ("0.1", "0.5", "0.9")] for each in answers])
    assert (np.diff(ends) >= 0).all()
    assert [each["value"] for each in answers] == ends[:, 1].tolist()
    metrics = run.evaluate().metrics
    inside = ((ends[:, 0] <= wanted) & (wanted <= ends[:, 2])).mean()
    assert metrics["interval_coverage"].value == pytest.approx(inside, abs=1e-9)
    assert 0.6 < inside < 1
    assert run.objective.monitor == "d2_pinball"


def test_several_numbers_have_names(start: Start) -> None:
    run = start(
        columns={"target": "both"},
        training={"epochs": 12, "batch_size": 16, "learning_rate": 0.01, "precision": "fp32"},
    )
    assert run.targets["names"] == ["slope", "height"]
    (answer,) = predictor_of(run).predict(raws(run)[:1])
    assert set(answer["values"]) == {"slope", "height"}
    card = (run.folder / "bundle" / "README.md").read_text(encoding="utf-8")
    assert "It answers numbers: `slope`, `height`." in card
    (table,) = run.evaluate().tables.values()
    assert [line[0] for line in table] == ["number", "slope", "height"]
    place = table[0].index("r2")
    assert all(float(line[place]) > 0.2 for line in table[1:])


def test_another_set_of_numbers_is_a_bad_row(start: Start, tmp_path: Path) -> None:
    strange = tmp_path / "test.jsonl"
    strange.write_text('{"series": "1 2 3 4 5 6", "target": [1, 2]}\n')
    train = write(tmp_path / "train.jsonl", 40)
    with pytest.raises(DataError, match="the target holds 0, 1; the training rows have target"):
        start(data={"train": str(train), "test": str(strange)})


def test_a_linear_probe_is_ridge_regression(start: Start) -> None:
    run = start(strategy="linear-probe", training={"epochs": 1, "precision": "fp32"})
    lines = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    (strength,) = [line["solved"] for line in lines if "solved" in line]
    features, test = (pooled_features(run, run.rows[split]) for split in ("train", "test"))
    mean, scale = features.mean(0), features.std(0)
    scale = np.maximum(scale, 0.01 * scale.mean())
    wanted = np.array(run.rows["train"].column("target"))
    # the mean of squares plus half the penalty: half as much per row as scikit-learn's sum
    oracle = Ridge(alpha=strength / 2 * len(wanted), tol=1e-10)
    spread = wanted.std()
    oracle.fit((features - mean) / scale, (wanted - wanted.mean()) / spread)
    theirs = oracle.predict((test - mean) / scale) * spread + wanted.mean()
    ours = [answer["value"] for answer in predictor_of(run).predict(raws(run))]
    np.testing.assert_allclose(ours, theirs, atol=0.02 * spread)
    assert run.evaluate().metrics["r2"].value > 0.5
