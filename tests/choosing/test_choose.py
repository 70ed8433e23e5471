"""Backbones are ranked by their frozen features of the same rows, and nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import multigraft as mg
import multigraft_series
from multigraft.choosing import BackboneRanking, choose
from multigraft.errors import DataError, MultigraftError, RecipeError
from multigraft.evaluation.transferability import leep, logme, nce
from multigraft.runs.run import Run
from multigraft.training.probe import computed_features

SCRATCH = {"name": "tcn-tiny", "weights": "scratch"}


@pytest.fixture
def trained(finetune: Callable[..., Run]) -> Run:
    """A run that learned the labels: its features fit them."""
    return finetune(training={"epochs": 6, "batch_size": 8, "learning_rate": 0.03})


@pytest.fixture
def rank(rows: Path) -> Callable[..., BackboneRanking]:
    def start(among: Any, **fields: Any) -> BackboneRanking:
        recipe = {"task": "series-classification", "data": str(rows), **fields.pop("recipe", {})}
        return choose(recipe, among=among, plugins=[multigraft_series], quiet=True, **fields)

    return start


def of(run: Run) -> dict[str, str]:
    return {"name": "tcn-tiny", "weights": str(run.folder)}


def test_what_was_trained_for_the_rows_is_first_by_every_score(
    rank: Callable[..., BackboneRanking], trained: Run
) -> None:
    for by in ("logme", "h_score", "knn"):
        found = rank([SCRATCH, of(trained)], by=by)
        assert [each.name for each in found.backbones] == ["tcn-tiny run", "tcn-tiny scratch"]
        assert found.best.first > 0.9
        assert sum(each.first for each in found.backbones) == pytest.approx(1)
        values = [each.scores[by] for each in found.backbones]
        assert values == sorted(values, reverse=True)
    assert found.rows == 76  # of 96: a tenth each for validation and test
    assert found.clear == (found.best.first >= 0.95)
    assert found.best.name in found.advice


def test_scores_are_those_of_the_features_and_the_head_of_the_training_rows(
    rank: Callable[..., BackboneRanking], trained: Run
) -> None:
    found = {each.name: each for each in rank([SCRATCH, of(trained)]).backbones}
    rows = trained.rows["train"]
    features = computed_features(trained, rows)
    labels = np.array([int(rows[index]["label"]) for index in range(len(rows))])
    scores = found["tcn-tiny run"].scores
    assert scores["logme"] == pytest.approx(logme(features, np.eye(2)[labels]), abs=1e-5)
    head = trained.graft.head.linear
    logits = features @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    source = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert scores["leep"] == pytest.approx(leep(source, labels), abs=1e-5)
    assert scores["nce"] == pytest.approx(nce(source.argmax(1), labels), abs=1e-5)
    assert found["tcn-tiny run"].classes == 2
    assert found["tcn-tiny scratch"].classes is None
    assert set(found["tcn-tiny scratch"].scores) == {"logme", "h_score", "knn", "linear_probe"}


def test_the_linear_probe_ranks_unless_another_is_asked_for(
    rank: Callable[..., BackboneRanking], trained: Run
) -> None:
    """Scikit-learn's own cross-validation of the same model on the same features is the peer."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import PredefinedSplit, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from multigraft.evaluation.transferability import folds_of
    from multigraft.evaluation.transferability.probes import STRENGTHS

    found = rank([SCRATCH, of(trained)])
    assert found.by == "linear_probe" and found.draws == 1000
    assert found.advice.startswith(f"{found.best.name} is first by linear probe")
    values = [(each.scores["linear_probe"], each.scores["logme"]) for each in found.backbones]
    assert values == sorted(values, reverse=True), "of equal probes the larger LogME comes first"
    scored = next(each for each in found.backbones if each.name == "tcn-tiny run")
    rows = trained.rows["train"]
    features = computed_features(trained, rows).astype(np.float64)
    labels = np.array([int(rows[index]["label"]) for index in range(len(rows))])
    fold = folds_of(labels, len(labels), seed=0)
    peers = []
    for strength in STRENGTHS:
        models = [
            make_pipeline(
                StandardScaler(),
                LogisticRegression(C=1 / (strength * (fold != number).sum()), max_iter=200),
            )
            for number in range(5)
        ]
        right = [
            cross_val_score(model, features, labels, cv=PredefinedSplit(np.where(fold == n, 0, -1)))
            * (fold == n).sum()
            for n, model in enumerate(models)
        ]
        peers.append(float(np.sum(right)) / len(labels))
    assert min(abs(scored.scores["linear_probe"] - peer) for peer in peers) < 1e-9


def test_costs_are_the_backbones(rank: Callable[..., BackboneRanking]) -> None:
    found = rank([SCRATCH, {"name": "tcn-small", "weights": "scratch"}])
    tiny, small = (
        next(each for each in found.backbones if each.name == name)
        for name in ("tcn-tiny", "tcn-small")
    )
    assert 0 < tiny.parameters < small.parameters
    assert tiny.megabytes == pytest.approx(4 * tiny.parameters / 1e6, rel=0.05)
    assert tiny.milliseconds > 0
    told = found.report()
    assert [line[0] for line in told.tables["costs"]] == ["backbone", *names(found)]
    assert json.loads(json.dumps(found.to_dict()))["best"] == found.best.name
    assert found.to("csv").splitlines()[0].startswith("backbone,LogME,H-score,k-NN,linear probe")
    assert found.advice in str(found)


def names(found: BackboneRanking) -> list[str]:
    return [each.name for each in found.backbones]


def test_held_out_rows_are_not_looked_at_and_rows_are_drawn_by_the_seed(
    rank: Callable[..., BackboneRanking], rows: Path, tmp_path: Path
) -> None:
    held_out = tmp_path / "held-out.csv"
    held_out.write_text("series,label\nno number,nobody learned this\n")
    data = {"data": {"train": str(rows), "test": str(held_out), "validation": str(held_out)}}
    once, again, other = (
        rank([SCRATCH, "tcn-small"], rows=40, recipe={**data, "seed": seed}) for seed in (3, 3, 4)
    )
    assert once.rows == 40
    assert scores(once) == scores(again) != scores(other)


def scores(found: BackboneRanking) -> list[Mapping[str, float]]:
    return [each.scores for each in sorted(found.backbones, key=lambda each: each.name)]


def test_two_equal_backbones_share_the_first_place(
    rank: Callable[..., BackboneRanking],
) -> None:
    found = rank([SCRATCH, SCRATCH])
    assert [(each.name, each.first) for each in found.backbones] == [
        ("tcn-tiny scratch (1)", 0.5),
        ("tcn-tiny scratch (2)", 0.5),
    ]
    assert not found.clear
    assert "do not settle it" in found.advice


def test_rows_in_python_are_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    given = [
        {"series": " ".join(f"{value:.2f}" for value in rng.normal(size=5)), "target": float(index)}
        for index in range(60)
    ]
    found = mg.choose(
        {"task": "regression", "data": given},
        among=[SCRATCH, "tcn-small"],
        plugins=[multigraft_series],
        quiet=True,
    )
    assert set(found.best.scores) == {"logme", "knn", "linear_probe"}
    assert list(tmp_path.iterdir()) == []


def test_label_sets_are_scored_label_by_label(
    rank: Callable[..., BackboneRanking], tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    path = tmp_path / "sets.csv"
    lines = ["series,labels"]
    for _ in range(90):
        up, long = rng.random(2) < 0.5
        values = np.sort(rng.normal(size=9 if long else 4))[:: 1 if up else -1]
        held = [name for name, has in (("up", up), ("long", long)) if has]
        lines.append(" ".join(f"{value:.2f}" for value in values) + f",{'|'.join(held)}")
    path.write_text("\n".join(lines) + "\n")
    found = rank([SCRATCH, "tcn-small"], recipe={"task": "multilabel", "data": str(path)})
    assert set(found.best.scores) == {"logme", "h_score", "knn", "linear_probe"}
    assert found.best.scores["linear_probe"] > 0.95
    assert found.best.scores["knn"] > 0.8


@pytest.mark.parametrize(
    ("among", "fields", "said"),
    [
        (["tcn-tiny"], {}, "name two backbones or more"),
        (["tcn-tiny", "tcn-smal"], {}, "did you mean 'tcn-small'"),
        (["tcn-tiny", "tcn-small"], {"by": "logmee"}, "did you mean 'logme'"),
        (["tcn-tiny", "tcn-small"], {"by": "leep"}, "LEEP is not defined of tcn-tiny, tcn-small"),
        (["tcn-tiny", "tcn-small"], {"rows": 5}, "5 rows; 20 are needed at least"),
        (["{name: tcn-tiny", "tcn-small"], {}, "is no mapping in YAML|the mapping"),
        (
            ["tcn-tiny", "tcn-small"],
            {"recipe": {"task": "series-denoising"}},
            "'series-denoising' cannot be chosen for: it learns without labels; allowed: ",
        ),
    ],
)
def test_mistakes_are_told(
    rank: Callable[..., BackboneRanking], among: Any, fields: Any, said: str
) -> None:
    with pytest.raises(MultigraftError, match=said) as caught:
        rank(among, **fields)
    assert isinstance(caught.value, RecipeError | DataError)


def test_tasks_without_a_target_a_row_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="'token-classification' cannot be chosen for: its"):
        choose(
            {"task": "token-classification", "data": str(tmp_path / "none.jsonl")},
            among=["bert-tiny", "bert-small=scratch"],
            quiet=True,
        )


def test_backbones_of_two_modalities_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"'resnet-tiny' reads image, and 'bert-tiny' text"):
        choose(
            {"task": "classification", "data": str(tmp_path)},
            among=["bert-tiny", "resnet-tiny"],
            quiet=True,
        )


def test_features_that_are_no_numbers_are_refused(
    rank: Callable[..., BackboneRanking], trained: Run
) -> None:
    from safetensors.torch import load_file, save_file

    file = next((trained.folder / "model").glob("*.safetensors"))
    for file in (trained.folder / "model").glob("*.safetensors"):
        if file.name != "head.safetensors":
            broken = {name: value * float("nan") for name, value in load_file(file).items()}
            save_file(broken, file, metadata={"format": "pt"})
    with pytest.raises(MultigraftError, match="no finite numbers"):
        rank([SCRATCH, of(trained)])
