"""Answers with scores: what people get is what is measured, from training to the bundle.

The plugin is a stranger's; its spans are targets and answers.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from helpers import span_toy
from helpers.span_toy_network import table
from helpers.toy_server import serving
from multigraft.contracts.answers import NAMES, scores
from multigraft.engine import Engine
from multigraft.errors import PluginError, PredictError
from multigraft.evaluation.answer_scores import Metrics, joined, score_rows
from multigraft.evaluation.measure import measure_split
from multigraft.runtime.answers import ANSWERS
from multigraft.runtime.bundle import read_manifest
from multigraft.runtime.predictor import Predictor
from multigraft.runtime.serving.model import Model
from multigraft.testing import check_plugin

WITHOUT_TORCH = """
import json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "onnx", "datasets"}:
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Absent())
import multigraft as mg
from helpers import span_toy

predictor = mg.load(sys.argv[1], catalog=mg.Catalog([span_toy], discover=False))
print(json.dumps(predictor.predict(json.loads(sys.argv[2]), long="window", at_least=0.3)))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    """A run on 200 rows whose test split nobody learns whole: May is a name in half of them."""
    folder = tmp_path_factory.mktemp("spans")
    recipe = {
        "task": "who-and-where",
        "backbone": {"name": "wordnet-tiny", "weights": "scratch"},
        "data": {"train": str(table(folder / "rows.csv", 200)), "split": {"test": 0.3}},
        "training": {"epochs": 6, "batch_size": 8, "learning_rate": 0.01},
        "evaluation": {"bootstrap": 30, "batch_size": 7},
        "export": {"precisions": ["fp32", "int8"], "rows": 40, "budget": 50},
        "output": str(folder / "run"),
    }
    return Engine([span_toy], discover=False).start(recipe, "finetune")


@pytest.fixture(scope="module")
def bundle(run: mg.Run) -> Path:
    return Path(run.export().files["bundle"])


@pytest.fixture
def predictor(bundle: Path) -> Predictor:
    return mg.load(bundle, precision="fp32", catalog=mg.Catalog([span_toy], discover=False))


def f1(answers: list[dict[str, Any]], cells: list[Any]) -> float:
    """Micro F1 of spans, by sets, without anything of the plugin or the engine."""
    answered, expected = set(), set()
    for row, (answer, cell) in enumerate(zip(answers, cells, strict=True)):
        answered |= {(row, s["start"], s["end"], s["label"]) for s in answer["spans"]}
        for each in (cell or "").split():
            places, _, label = each.partition(":")
            start, _, end = places.partition("-")
            expected.add((row, int(start), int(end), label))
    right = len(answered & expected)
    precision, recall = right / len(answered), right / len(expected)
    return 2 * precision * recall / (precision + recall)


def test_evaluation_and_gate_measure_the_answers_that_people_get(
    run: mg.Run, bundle: Path, predictor: Predictor
) -> None:
    rows = run.rows["test"]
    texts = [rows.raw(index) for index in range(len(rows))]
    wanted = f1(predictor.predict(texts), rows.column("spans"))
    assert 0.5 < wanted < 0.99, "neither everything nor nothing is right"
    measure = run.evaluate().metrics["f1_span"]
    assert measure.value == pytest.approx(wanted, abs=1e-12)
    assert measure.low is not None and measure.high is not None
    assert measure.low <= wanted <= measure.high and measure.low < measure.high
    precisions = read_manifest(bundle).precisions
    assert precisions["fp32"].metric == "f1_span"
    assert precisions["fp32"].value == pytest.approx(wanted, abs=1e-12)
    int8 = mg.load(bundle, precision="int8", catalog=predictor_catalog())
    assert precisions["int8"].value == pytest.approx(
        f1(int8.predict(texts, batch_size=7), rows.column("spans")), abs=0.02
    )


def predictor_catalog() -> mg.Catalog:
    return mg.Catalog([span_toy], discover=False)


def test_a_metric_on_positions_says_something_else(run: mg.Run) -> None:
    metrics = run.evaluate().metrics
    assert metrics["accuracy_words"].value > metrics["f1_span"].value + 0.01


def test_validation_chooses_by_the_answers(run: mg.Run) -> None:
    assert all(0 <= entry["metrics"]["f1_span"] <= 1 for entry in run.history)
    best = max(run.history, key=lambda entry: entry["metrics"]["f1_span"])
    assert run.facts["best"]["value"] == best["metrics"]["f1_span"]


def test_what_is_kept_does_not_depend_on_the_batches(run: mg.Run) -> None:
    reading = run.reading()
    one, other = (
        measure_split(run.graft, run.metrics, run.rows["test"], **{**reading, "batch_size": size})
        for size in (3, 60)
    )
    rows, tags = len(run.rows["test"]), 1 + 2 * len(run.targets["labels"])
    assert {name: array.shape for name, array in one.items()} == {
        "loss": (rows,),
        "weight": (rows,),
        "words": (rows, tags, 2),
        "spans": (rows, 3),
    }
    for name in ("words", "spans"):
        np.testing.assert_array_equal(one[name], other[name])


def test_windows_join_at_their_seams(predictor: Predictor) -> None:
    """A name of three words lies across the end of the first window, whose words are twelve."""
    text = "rain " * 10 + "Alan Mathison Turing left Rome " + "the bread " * 8 + "in Oslo"
    cut = [span["text"] for span in predictor.predict(text)["spans"]]
    whole = predictor.predict([text, "Oslo"], long="window")[0]["spans"]
    assert cut == ["Alan Mathison"]
    assert [span["text"] for span in whole] == ["Alan Mathison Turing", "Rome", "Oslo"]
    assert all(text[span["start"] : span["end"]] == span["text"] for span in whole)


def test_a_task_says_what_it_may_be_asked(predictor: Predictor) -> None:
    text = "May met Ada in Rome"
    scored = predictor.predict(text)["spans"]
    bar = sorted(span["score"] for span in scored)[1]
    assert predictor.predict(text, at_least=bar)["spans"] == [
        span for span in scored if span["score"] >= bar
    ]
    assert predictor.predict(text, at_least=None)["spans"] == scored
    with pytest.raises(PredictError, match=r"at_least is 2; it should be at most 1"):
        predictor.predict(text, at_least=2)
    with pytest.raises(PredictError, match=r"take no 'top_k'"):
        predictor.predict(text, top_k=1)


def test_a_server_takes_the_same(predictor: Predictor) -> None:
    (modality,) = span_toy.register_modalities()
    with serving(Model("spans", predictor, modality)) as served:
        asked = {"inputs": ["May met Ada in Rome", ""], "at_least": 0.9}
        said = served.client.post("/predict", json=asked).json()["answers"]
        assert said[0] == json.loads(
            json.dumps(predictor.predict("May met Ada in Rome", at_least=0.9))
        )
        assert said[1]["error"] == "holds no words"
        described = served.client.get("/models/spans").json()
        assert described["asks"]["at_least"]["types"] == ["integer", "number"]
        for broken in ({"at_least": 7}, {"top_k": 1}):
            refused = served.client.post("/predict", json={"inputs": "Ada", **broken})
            assert refused.status_code == 422, refused.text


def test_it_answers_in_a_process_without_torch(bundle: Path, predictor: Predictor) -> None:
    texts = ["May met Ada in Rome", "rain " * 20 + "in New York"]
    tests = Path(span_toy.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(bundle), json.dumps(texts)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tests,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    best = mg.load(bundle, catalog=predictor_catalog())
    assert found == best.predict(texts, long="window", at_least=0.3)


def test_a_bundle_says_what_its_task_may_be_asked(bundle: Path) -> None:
    raw = json.loads((bundle / "bundle.json").read_text())
    assert (raw["format"], raw["answers"]) == (2, None)
    assert raw["asks"]["at_least"]["high"] == 1
    assert not {"decode", "merge"} & raw.keys()
    assert "# may be asked: at_least, to leave out spans less sure" in (
        bundle / "README.md"
    ).read_text(encoding="utf-8")


@pytest.mark.slow
def test_it_keeps_every_contract() -> None:
    verdict = check_plugin(span_toy)
    assert verdict.passed
    passed = {outcome.check for outcome in verdict.outcomes if outcome.state == "passed"}
    assert {"answers", "joined-windows", "asked-windows", "scores", "figures"} <= passed


def test_core_s_answers_have_the_names_that_a_task_may_give() -> None:
    assert tuple(ANSWERS) == NAMES
    scored = {name for name, make in ANSWERS.items() if scores(make({"labels": ["a"]}))}
    written = {"caption", "summary", "text", "translation"}
    others = {"detection", "embedding", "embeddings", "extraction", "segmentation", "tagging"}
    assert scored == {*others, "transcription", *written}


def test_labels_of_answers_give_the_accuracy_that_classification_measures(
    finetune: Any, tmp_path: Path
) -> None:
    """Which is why it needs no scores."""
    trained = finetune(output=str(tmp_path / "labels"))
    rows = trained.rows["test"]
    predictor = mg.load(trained.export().files["bundle"], precision="fp32", catalog=trained.catalog)
    answers = predictor.predict([rows.raw(index) for index in range(len(rows))])
    right = [answer["label"] for answer in answers] == np.array(rows.column("label"))
    assert trained.metrics.answers is None
    assert trained.evaluate().metrics["accuracy"].value == pytest.approx(right.mean(), abs=1e-12)


class Clashing(span_toy.Spans):
    def score(self, answer: Any, row: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        return {"loss": np.array(1.0)}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        return {"accuracy_words": 1.0}


class Shrinking(span_toy.Spans):
    def together(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return {"rank": np.zeros(1)}


def test_a_name_for_two_things_is_refused(run: mg.Run) -> None:
    clashing = Metrics(run.objective, Clashing(run.targets))
    with pytest.raises(PluginError, match="both give 'loss'"):
        measure_split(run.graft, clashing, run.rows["test"], **run.reading())
    kept = measure_split(run.graft, run.metrics, run.rows["test"], **run.reading())
    with pytest.raises(PluginError, match="both give 'accuracy_words'"):
        clashing.summarise(kept)
    assert joined({"a": 1}, {"b": 2}) == {"a": 1, "b": 2}


def test_what_follows_from_all_rows_is_one_thing_a_row(run: mg.Run) -> None:
    rows = run.rows["test"]
    with pytest.raises(PluginError, match=r"together gives 'rank' for 1 rows of 60"):
        measure_split(
            run.graft, Metrics(run.objective, Shrinking(run.targets)), rows, **run.reading()
        )


class Ranked(span_toy.Spans):
    """How many rows have more spans: nothing that a resample could tell."""

    def together(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        answered = kept["spans"][:, 1]
        return {"rank": (answered[None] > answered[:, None]).sum(1)}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        return {"mean_rank": float(kept["rank"].mean())}


def test_ranks_are_among_all_rows_in_every_resample(run: mg.Run) -> None:
    from scipy.stats import rankdata

    metrics = Metrics(run.objective, Ranked(run.targets))
    kept = measure_split(run.graft, metrics, run.rows["test"], **run.reading())
    answered = kept["spans"][:, 1]
    np.testing.assert_array_equal(kept["rank"], rankdata(-answered, method="min") - 1)
    half = {name: array[::2] for name, array in kept.items()}
    assert metrics.summarise(half)["mean_rank"] == pytest.approx(kept["rank"][::2].mean())


def test_scores_of_another_shape_are_refused() -> None:
    table_ = SimpleNamespace(target_row=lambda number: {"number": number})
    uneven = SimpleNamespace(score=lambda answer, row: {"n": np.zeros(row["number"])})
    with pytest.raises(PluginError, match=r"score gives n \[1\] for one row and not for another"):
        score_rows(uneven, table_, np.array([1, 2]), [{}, {}])  # type: ignore[arg-type]


def test_a_plugin_of_an_earlier_version_is_told_what_changed() -> None:
    class Old:
        @mg.hookimpl
        def register_tasks(self) -> list[mg.Task]:
            (task,) = span_toy.register_tasks()
            return [mg.Task(**{**vars(task), "decode": lambda targets, outputs: []})]

    with pytest.raises(PluginError) as told:
        mg.Catalog([span_toy, Old()], discover=False)
    said = str(told.value)
    assert "Task.decode and Task.merge became Task.answers" in said
    assert "docs/plugins/hooks.md" in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("wrong", ["clasification", 3])
def test_answers_that_nobody_knows_are_refused(wrong: Any) -> None:
    class Odd:
        @mg.hookimpl
        def register_tasks(self) -> list[mg.Task]:
            (task,) = span_toy.register_tasks()
            return [replace(task, name="odd", answers=wrong)]

    with pytest.raises(PluginError, match=r"did you mean 'classification'|name or a function"):
        mg.Catalog([span_toy, Odd()], discover=False)
