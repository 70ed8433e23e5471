"""Sentence similarity the whole way: evaluation, gate, bundle and the saved folder say the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
import transformers

import multigraft as mg
import multigraft_text as text
from helpers.bundle_figures import figures_agree
from helpers.paired_texts import WORDS, pairs, texts_of
from multigraft.cli import main
from multigraft.contracts.features import mean_pool
from multigraft.errors import BundleError, PredictError, RecipeError, RowError
from multigraft.runtime.answers.retrieval_scores import MEASURES, retrieval_scores
from multigraft.runtime.bundle import read_manifest
from multigraft.runtime.predictor import Predictor
from multigraft.training.batch_stream import BatchStream
from multigraft_text.similarity.objective import SentenceSimilarity

Row = dict[str, Any]


def triplets(count: int, seed: int) -> list[Row]:
    others = pairs(count, seed + 1000)
    rows = pairs(count, seed)
    return [
        {**row, "negative": other["text"] + " though"}
        for row, other in zip(rows, others, strict=True)
    ]


def scored(count: int, seed: int) -> list[Row]:
    """Pairs of texts with the share of words that they have in common, times 5."""
    rows, rng = pairs(count, seed), np.random.default_rng(seed)
    for row in rows[::2]:
        row["text_pair"] = texts_of(rng)[1]
    words = [[set(row[name].split()) for name in ("text", "text_pair")] for row in rows]
    return [
        {**row, "score": 5 * len(one & other) / len(one | other)}
        for row, (one, other) in zip(rows, words, strict=True)
    ]


def write(path: Path, rows: list[Row]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def train(
    folder: Path,
    make: Any,
    *,
    backbone: str = "bert-tiny",
    pooled: dict[str, str] | None = None,
    strategy: str = "full",
    **task: Any,
) -> mg.Run:
    recipe = {
        "task": {"name": "sentence-similarity", **task},
        "backbone": {"name": backbone, "weights": "scratch", **(pooled or {})},
        "strategy": strategy,
        "reader": {"max_length": 16},
        "data": {
            "train": write(folder / "train.jsonl", make(200, 1)),
            "test": write(folder / "test.jsonl", make(60, 2)),
            "split": {"validation": 0.1, "test": 0},
            "leakage": {"allowed": 1},
        },
        "training": {"epochs": 5, "batch_size": 16, "learning_rate": 0.003, "precision": "fp32"},
        "evaluation": {"bootstrap": 30, "batch_size": 7},
        "export": {"precisions": ["fp32", "int8"], "rows": 60, "budget": 50},
        "output": str(folder / "run"),
    }
    return mg.Engine([text], discover=False).start(recipe, "finetune")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    return train(tmp_path_factory.mktemp("pairs"), pairs)


@pytest.fixture(scope="module")
def bundle(run: mg.Run) -> Path:
    return Path(run.export().files["bundle"])


class Reads:
    """The modality alone: neither the task nor a backbone."""

    @mg.hookimpl
    def register_modalities(self) -> list[mg.Modality]:
        return [text.TEXT]


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    return mg.load(bundle, precision="fp32", catalog=mg.Catalog([Reads()], discover=False))


def embedded(predictor: Predictor, texts: list[str]) -> np.ndarray:
    return np.array([answer["embedding"] for answer in predictor.predict(texts)])


def test_batches_are_drawn_at_random(run: mg.Run) -> None:
    lengths = run.rows["train"].lengths
    batches = BatchStream(run, torch.device("cpu")).schedule.batches(0)
    spread = np.mean([np.ptp(lengths[batch]) for batch in batches])
    assert spread > np.ptp(lengths) / 2


def test_evaluation_gate_and_bundle_say_the_same(
    run: mg.Run, bundle: Path, predictor: Predictor, tmp_path: Path
) -> None:
    held_out = pairs(60, 2)
    sides = [[row[name] for row in held_out] for name in ("text", "text_pair")]
    ids = [
        np.unique(side, return_inverse=True)[1] + start
        for start, side in zip((0, 1000), sides, strict=True)
    ]
    told = retrieval_scores(*(embedded(predictor, side) for side in sides), *ids)
    metrics = run.evaluate(rows=tmp_path / "rows.jsonl").metrics
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [line["expected"] for line in lines] == sides[1]
    for name in MEASURES:
        assert metrics[name].value == pytest.approx(told[name].mean(), abs=1e-9)
        low, high = metrics[name].low, metrics[name].high
        assert low is not None and high is not None and low < metrics[name].value < high
    assert 0.15 < metrics["recall_at_1"].value < 1, "neither everything nor nothing is found"
    manifest = read_manifest(bundle)
    assert manifest.named == "embedding", "any page and server knows how it answers"
    precisions = manifest.precisions
    assert precisions["fp32"].metric == "ndcg_at_10"
    assert precisions["fp32"].value == pytest.approx(told["ndcg_at_10"].mean(), abs=1e-9)
    assert abs(precisions["int8"].value - precisions["fp32"].value) < 0.1


def test_the_report_tells_among_how_many(run: mg.Run) -> None:
    heading, counts = run.evaluate().tables["what was ranked"]
    assert heading == ("different texts", "candidates")
    assert int(counts[1]) == len({row["text_pair"] for row in pairs(60, 2)})


def test_a_bundle_embeds_and_ranks_without_torch(bundle: Path, predictor: Predictor) -> None:
    code = (
        "import sys, json, multigraft as mg, multigraft_text\n"
        "from multigraft.plugins.catalog import Catalog\n"
        "catalog = Catalog([multigraft_text], discover=False)\n"
        f"found = mg.load({str(bundle)!r}, precision='fp32', catalog=catalog)\n"
        "ranked = found.rank('river house night', ['stone paper', 'the river house night'])\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
        "print(json.dumps([ranked, found.predict('river')['embedding']]))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ranked, embedding = json.loads(told.stdout)
    assert [each["index"] for each in ranked] == [1, 0]
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
    assert embedding == pytest.approx(predictor.predict("river")["embedding"], abs=1e-5)


def test_a_table_of_pairs_is_embedded_by_its_texts(
    bundle: Path, predictor: Predictor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("text,text_pair\nriver stone,house\npaper,night\n")
    assert main(["predict", str(bundle), str(table), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    found = [each["answer"]["embedding"] for each in said]
    wanted = [each["embedding"] for each in predictor.predict(["river stone", "paper"])]
    assert np.allclose(found, wanted, atol=1e-2), "int8 may be what is fastest"


def test_ranks_are_cosines_in_order(predictor: Predictor) -> None:
    texts = [row["text_pair"] for row in pairs(20, 5)]
    cosines = embedded(predictor, texts) @ embedded(predictor, ["river stone"])[0]
    ranked = predictor.rank("river stone", texts)
    assert [each["index"] for each in ranked] == np.argsort(-cosines).tolist()
    assert [each["score"] for each in ranked] == pytest.approx(sorted(cosines)[::-1], abs=1e-5)
    assert predictor.rank("river stone", iter(texts), top_k=3) == ranked[:3]
    assert predictor.rank("river", []) == []
    assert [each["index"] for each in predictor.rank("river", ["paper"] * 3)] == [0, 1, 2]


def test_what_cannot_be_ranked_is_said(predictor: Predictor) -> None:
    with pytest.raises(PredictError, match="rank needs several values, as a list"):
        predictor.rank("river", "paper")
    for nothing in (None, 3):
        with pytest.raises(PredictError, match="rank needs several values, as a list"):
            predictor.rank("river", nothing)  # type: ignore[arg-type]
    with pytest.raises(PredictError, match="top_k is 0"):
        predictor.rank("river", ["paper"], top_k=0)
    with pytest.raises(RowError, match=r"^the query: the text"):
        predictor.rank(None, ["paper"])
    with pytest.raises(RowError, match=r"^item 1: "):
        predictor.rank("river", ["paper", " "])


def test_the_saved_folder_pools_there_as_here(run: mg.Run, predictor: Predictor) -> None:
    folder = run.folder / "model"
    modules = json.loads((folder / "modules.json").read_text())
    kinds = [module["type"].rpartition(".")[2] for module in modules]
    assert kinds == ["Transformer", "Pooling", "Normalize"]
    assert all((folder / module["path"]).is_dir() for module in modules)
    pooling = json.loads((folder / "1_Pooling/config.json").read_text())
    assert pooling["pooling_mode_mean_tokens"] is True
    assert pooling["word_embedding_dimension"] == 64
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(
        ["river house", "a long winter night"], padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        hidden = model(**tokens).last_hidden_state
    pooled = torch.nn.functional.normalize(mean_pool(hidden, tokens["attention_mask"]), dim=-1)
    found = embedded(predictor, ["river house", "a long winter night"])
    assert found == pytest.approx(pooled.numpy(), abs=1e-5)


def test_a_finished_run_is_measured_again(run: mg.Run) -> None:
    again = mg.Engine([text], discover=False).open(run.folder)
    before, after = (each.evaluate().metrics["mrr"].value for each in (run, again))
    assert before == after


def test_the_folders_pooling_is_taken_over(run: mg.Run, tmp_path: Path) -> None:
    config = run.folder / "model/1_Pooling/config.json"
    kept = config.read_text()
    said = json.loads(kept) | {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    config.write_text(json.dumps(said))
    try:
        objective = mg.Engine([text], discover=False).open(run.folder).objective
    finally:
        config.write_text(kept)
    assert isinstance(objective, SentenceSimilarity) and objective.pooling == "cls"


def test_triplets_train(tmp_path: Path) -> None:
    run = train(tmp_path, triplets, symmetric=True, pooled={"pooling": "max"})
    found = run.evaluate().metrics
    assert found["recall_at_1"].value > 4 / 60, "four times what chance finds"
    assert json.loads((run.folder / "model/1_Pooling/config.json").read_text())[
        "pooling_mode_max_tokens"
    ]


@pytest.mark.parametrize("loss", ["cosine", "cosent"])
def test_scores_correlate_as_scipy_says(loss: str, tmp_path: Path) -> None:
    run = train(tmp_path, scored, score_loss=loss, score_scale=5)
    assert run.objective.monitor == "spearman"
    metrics = run.evaluate().metrics
    found = mg.load(run.export().files["bundle"], precision="fp32", catalog=run.catalog)
    held_out = scored(60, 2)
    one, other = (
        embedded(found, [row[name] for row in held_out]) for name in ("text", "text_pair")
    )
    cosines, wanted = (one * other).sum(1), [row["score"] for row in held_out]
    spearman, pearson = (
        scipy.stats.spearmanr(cosines, wanted).statistic,
        scipy.stats.pearsonr(cosines, wanted).statistic,
    )
    assert metrics["spearman"].value == pytest.approx(spearman, abs=1e-6)
    assert metrics["pearson"].value == pytest.approx(pearson, abs=1e-6)
    assert spearman > 0.2
    assert found.bundle.precisions["int8"].metric == "spearman"
    figures_agree(run)


def test_a_decoder_embeds_as_its_folder_does(tmp_path: Path) -> None:
    run = train(tmp_path, pairs, backbone="gpt-tiny", pooled={"pooling": "lasttoken"})
    folder = run.folder / "model"
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    assert settings["padding_side"] == "right"
    tokens = transformers.AutoTokenizer.from_pretrained(folder)("river house")["input_ids"]
    assert tokens == run.reader.read("river house")["input_ids"].tolist()


def test_a_bundle_that_embeds_nothing_says_so(tmp_path: Path) -> None:
    rows = [{"text": f"{word} {n}", "label": "ab"[n % 2]} for n, word in enumerate(WORDS * 4)]
    recipe = {
        "task": "text-classification",
        "backbone": {"name": "bert-tiny", "weights": "scratch"},
        "data": {"train": write(tmp_path / "rows.jsonl", rows), "leakage": {"allowed": 1}},
        "training": {"epochs": 1, "batch_size": 8},
        "export": {"precisions": ["fp32"]},
        "output": str(tmp_path / "run"),
    }
    run = mg.Engine([text], discover=False).start(recipe, "finetune")
    found = mg.load(run.export().files["bundle"], catalog=run.catalog)
    with pytest.raises(BundleError, match="'text-classification' gives no embedding"):
        found.rank("river", ["paper"])


@pytest.mark.parametrize("strategy", ["linear-probe", "gradual-unfreezing"])
def test_a_strategy_of_the_head_alone_is_refused(strategy: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=f"{strategy} begins with the head alone.*use full"):
        train(tmp_path, pairs, strategy=strategy)


def test_lora_learns(tmp_path: Path) -> None:
    run = train(tmp_path, pairs, strategy="lora")
    assert run.evaluate().metrics["recall_at_1"].value > 4 / 60, "four times what chance finds"


def test_a_pretrained_bundle_ranks_too(tmp_path: Path) -> None:
    recipe = {
        "task": "masked-language-modeling",
        "backbone": {"name": "bert-tiny", "weights": "scratch"},
        "data": {"train": write(tmp_path / "rows.jsonl", pairs(40, 1)), "leakage": {"allowed": 1}},
        "training": {"epochs": 1, "batch_size": 8},
        "export": {"precisions": ["fp32"]},
        "output": str(tmp_path / "run"),
    }
    run = mg.Engine([text], discover=False).start(recipe, "pretrain")
    found = mg.load(run.export().files["bundle"], catalog=run.catalog)
    texts = ["stone paper window", "river house"]
    ranked = found.rank(("river house", "river house"), [(each, each) for each in texts])
    assert ranked[0] == {"index": 1, "score": pytest.approx(1, abs=1e-6)}
    assert ranked[1]["score"] < 1


def test_the_bundle_has_the_figures_of_its_run(run: mg.Run, bundle: Path) -> None:
    assert bundle == run.folder / "bundle"
    figures_agree(run)
