"""A dual encoder the whole way: evaluation, gate and bundle say the same, each branch alone."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import multigraft as mg
from helpers import captioned, matched
from helpers.bundle_figures import figures_agree
from helpers.packages import ROOT
from multigraft.errors import BundleError, DataError, PredictError, RecipeError, RowError
from multigraft.system.compute.precision import FP32
from multigraft.testing import check_plugin
from multigraft.training.forward import Forward
from multigraft.training.step import Gradient

WITHOUT_TORCH = """
import json, sys
from multigraft.testing.offline import Blocker
sys.meta_path.insert(0, Blocker())
import helpers.captioned
import multigraft as mg
catalog = mg.Catalog([helpers.captioned], discover=False)
found = mg.load(sys.argv[1], precision="fp32", catalog=catalog)
query, gallery = json.load(sys.stdin)
json.dump([found.rank(query, gallery), found.classify(gallery[0], ["one", "two"])], sys.stdout)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    return matched.train(tmp_path_factory.mktemp("matched"))


@pytest.fixture(scope="module")
def bundle(run: mg.Run) -> Path:
    return Path(run.export().files["bundle"])


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> mg.Predictor:
    return mg.load(bundle, precision="fp32", catalog=mg.Catalog([captioned], discover=False))


def recall(ours: np.ndarray, theirs: np.ndarray, ids: list[Any], depth: int) -> float:
    """Recall at a depth by sorting alone: equal pairs stand for one candidate."""
    first = [ids.index(each) for each in dict.fromkeys(ids)]
    gallery, names = theirs[first], [ids[place] for place in first]
    hits = []
    for vector, own in zip(ours, ids, strict=True):
        order = np.argsort(-(gallery @ vector), kind="stable")[:depth]
        hits.append(own in [names[place] for place in order])
    return float(np.mean(hits))


def test_evaluation_gate_and_bundle_say_the_same(
    run: mg.Run, bundle: Path, predictor: mg.Predictor, tmp_path: Path
) -> None:
    metrics = {name: each.value for name, each in run.evaluate().metrics.items()}
    held_out = matched.rows(30, 2)
    ids = [row["words"] for row in held_out]
    assert len(set(ids)) < len(ids), "some pairs stand twice"
    words, grey = (
        predictor.embed([row[name] for row in held_out], branch=name) for name in ("words", "grey")
    )
    assert metrics["words_to_grey_recall_at_5"] == pytest.approx(recall(words, grey, ids, 5))
    assert metrics["grey_to_words_recall_at_1"] == pytest.approx(recall(grey, words, ids, 1))
    ways = [metrics["words_to_grey_mrr"], metrics["grey_to_words_mrr"]]
    assert metrics["mrr"] == pytest.approx(sum(ways) / 2)
    assert metrics["recall_at_1"] > 5 / len(set(ids)), "five times chance"
    gate = predictor.bundle.precisions
    assert gate["fp32"].metric == "mrr" == gate["int8"].metric
    assert gate["fp32"].value == pytest.approx(metrics["mrr"], abs=1e-6)


def test_each_branch_alone_answers_as_both(predictor: mg.Predictor) -> None:
    row = matched.row(2, 7)
    both = predictor.predict(row)
    alone = [predictor.predict({name: row[name]}) for name in row]
    for name, answer in zip(row, alone, strict=True):
        assert answer == {"embeddings": {name: pytest.approx(both["embeddings"][name], abs=1e-6)}}
    words, grey = (np.array(both["embeddings"][name]) for name in row)
    assert both["score"] == pytest.approx(float(words @ grey), abs=1e-6)
    one, many = (predictor.embed(v, branch="grey") for v in (row["grey"], [row["grey"]] * 2))
    assert one.shape == (16,) and many.shape == (2, 16) and one.dtype == np.float32
    assert np.allclose(many[0], one, atol=1e-6)


def test_a_query_of_either_branch_ranks_a_gallery_of_either(
    predictor: mg.Predictor, tmp_path: Path
) -> None:
    made = [matched.row(low, low + 3) for low in range(7)]
    query = {"words": made[2]["words"]}
    mixed = [{"grey": row["grey"]} for row in made] + [{"words": made[5]["words"]}]
    found = predictor.rank(query, mixed)
    cosines = predictor.embed(mixed) @ predictor.embed(query)
    assert [each["index"] for each in found] == np.argsort(-cosines, kind="stable").tolist()
    gallery = predictor.gallery(
        [row["grey"] for row in made], ids=[row["words"] for row in made], branch="grey"
    )
    kept = mg.Gallery.open(gallery.save(tmp_path / "there" / "index.npz"))
    again = predictor.rank(query, kept, top_k=2)
    assert [each["id"] for each in again] == [
        made[each["index"]]["words"] for each in predictor.rank(query, mixed[:7], top_k=2)
    ]


def test_a_gallery_of_another_precision_is_refused(bundle: Path, predictor: mg.Predictor) -> None:
    other = mg.load(bundle, precision="int8", catalog=mg.Catalog([captioned], discover=False))
    gallery = other.gallery([{"words": "one"}])
    with pytest.raises(BundleError, match="by another bundle, or in another precision"):
        predictor.rank({"words": "one"}, gallery)
    own = predictor.gallery([{"words": "one"}])
    cut = replace(own, embeddings=own.embeddings[:, :3].copy())
    with pytest.raises(BundleError, match="have 3 numbers, and the bundle's 16"):
        predictor.rank({"words": "one"}, cut)
    assert predictor.rank({"words": "one"}, predictor.gallery([])) == []


def test_prompts_classify(predictor: mg.Predictor) -> None:
    rows = [matched.row(1, 8), matched.row(0, 3)]
    labels = [row["words"] for row in rows]
    answers = predictor.classify([{"grey": row["grey"]} for row in rows], labels, templates=["{}"])
    for answer in answers:
        assert sum(answer["scores"].values()) == pytest.approx(1)
        assert answer["label"] == max(answer["scores"], key=answer["scores"].get)
    vectors = predictor.embed(labels, branch="words") @ predictor.embed(
        rows[0]["grey"], branch="grey"
    )
    scale = float(predictor.outputs([{"grey": rows[0]["grey"]}])[0]["scale"])
    shares = np.exp(scale * vectors) / np.exp(scale * vectors).sum()
    assert list(answers[0]["scores"].values()) == pytest.approx(
        sorted(shares, reverse=True), abs=1e-4
    )
    first = predictor.classify({"grey": rows[0]["grey"]}, labels, top_k=1)
    assert len(first["scores"]) == 1


@pytest.mark.parametrize(
    ("ask", "error", "said"),
    [
        (
            lambda p: p.embed("one"),
            RowError,
            "found str; {'words': ...} or {'grey': ...} is needed",
        ),
        (lambda p: p.embed([{"words": "a", "grey": "1"}]), RowError, "item 0: found a mapping of"),
        (lambda p: p.embed("a", branch="word"), PredictError, "did you mean 'words'"),
        (lambda p: p.embed(["1", "x"], branch="grey"), RowError, "item 1: grey: holds what is no"),
        (lambda p: p.rank({"words": "a"}, "one"), PredictError, "rank needs several values"),
        (lambda p: p.rank({"grey": "x"}, [{"words": "a"}]), RowError, "the query: grey: holds"),
        (lambda p: p.classify({"grey": "1"}, "cat"), PredictError, "a list of texts is needed"),
        (lambda p: p.classify({"grey": "1"}, ["a", "a"]), PredictError, "holds one twice"),
        (lambda p: p.classify({"grey": "1"}, ["a"], templates=["x"]), PredictError, "has no {}"),
        (lambda p: p.gallery([{"grey": "1"}], ids=[]), PredictError, "found 0 ids for 1 values"),
    ],
)
def test_wrong_questions_are_told(
    predictor: mg.Predictor, ask: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as caught:
        ask(predictor)
    assert said in str(caught.value)


def test_it_answers_without_torch(bundle: Path, predictor: mg.Predictor) -> None:
    asked = {"words": "one below two"}, [{"grey": "22/11"}, {"grey": "99/00"}, {"words": "nine"}]
    finished = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(bundle)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT / "tests",
    )
    assert finished.returncode == 0, finished.stderr
    ranked, labelled = json.loads(finished.stdout)
    here = predictor.rank(*asked)
    assert [each["index"] for each in ranked] == [each["index"] for each in here]
    assert labelled["label"] == predictor.classify(asked[1][0], ["one", "two"])["label"]


@pytest.mark.parametrize("loss", ["infonce", "siglip"])
def test_parts_have_the_gradient_of_the_whole(tmp_path: Path, loss: str) -> None:
    made = matched.train(tmp_path, task={"loss": loss}, training={"epochs": 1})
    gradient = Gradient(made, Forward(made, device=torch.device("cpu"), precision=FP32))
    made.graft.train()
    batch = {name: torch.from_numpy(array) for name, array in mg_batch(made, 12).items()}
    step = [(np.arange(12), batch)]
    found = []
    for parts in (1, 4):
        outcome = gradient.compute(step, parts)
        grads = [p.grad.clone() for p in gradient.parameters if p.grad is not None]
        found.append((outcome.loss, grads))
    (loss_one, one), (loss_other, other) = found
    assert loss_one == pytest.approx(loss_other, rel=1e-5)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(one, other, strict=True))


def mg_batch(run: mg.Run, count: int) -> dict[str, np.ndarray]:
    from multigraft.contracts.readers import collate

    rows = [run.rows["train"][index] for index in range(count)]
    return collate(rows, {**run.reader.fills, **run.objective.fills})


def test_frozen_towers_are_replayed_to_the_same_projections(tmp_path: Path) -> None:
    found = [
        matched.train(
            tmp_path / each, strategy="linear-probe", training={"replay": each, "epochs": 3}
        )
        for each in ("auto", "off")
    ]
    for each in found:
        widths = [branch.width for branch in each.graft.branches.values()]
        assert each.plan.learning() == 16 * sum(widths) + 1, "projections and temperature"
    one, other = (each.graft.head.state_dict() for each in found)
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)


def test_one_tower_may_be_locked(tmp_path: Path) -> None:
    made = matched.train(
        tmp_path, strategy={"grey": "linear-probe", "words": "full"}, training={"epochs": 1}
    )
    learning = {name for name, rule in made.plan.rules.items() if rule.learns}
    towers = {name.split(".")[2] for name in learning if name.startswith("backbone")}
    assert towers == {"0"}, "of the words alone"


def test_a_pair_that_lacks_a_value_is_a_bad_row(tmp_path: Path) -> None:
    recipe = matched.recipe(tmp_path)
    rows = matched.rows(20, 3)
    rows[4]["grey"], rows[9]["words"] = None, ""
    recipe["data"]["train"] = matched.write(tmp_path / "train.jsonl", rows)
    with pytest.raises(DataError) as caught:
        mg.Engine([captioned], discover=False, strict=True).start(recipe, "finetune")
    said = str(caught.value)
    assert "row 5" in said and "there is no 'grey': a pair has both" in said
    assert "row 10, column 'words'" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"backbone": "wordnet-tiny"}, "'contrastive' takes two branches, as backbone: {text"),
        (
            {"backbone": {"words": "wordnet-tiny", "grey": "lattice-tiny", "more": "lattice-tiny"}},
            "found words, grey, more",
        ),
        ({"task": {"name": "contrastive", "loss": "clip"}}, "task.loss: found 'clip'"),
    ],
)
def test_a_recipe_that_is_no_dual_encoder_is_refused(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        mg.Engine([captioned], discover=False).start(
            {**matched.recipe(tmp_path), **change}, "finetune"
        )
    assert said in str(caught.value)


def test_missing_values_are_refused_in_the_recipe(tmp_path: Path) -> None:
    recipe = matched.recipe(tmp_path)
    recipe["data"]["missing"] = "allow"
    with pytest.raises(RecipeError, match="every row of 'contrastive' needs both branches"):
        mg.Engine([captioned], discover=False).start(recipe, "finetune")


def test_the_kit_tries_it() -> None:
    check_plugin(matched.Matching())


def test_the_bundle_has_the_figures_of_its_run(run: mg.Run, bundle: Path) -> None:
    assert bundle == run.folder / "bundle"
    figures_agree(run)
