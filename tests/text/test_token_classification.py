"""Token classification the whole way: what evaluation, gate and bundle say of entities is one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from seqeval.metrics import f1_score, precision_score
from torch import nn

import multigraft as mg
import multigraft_text as text
from helpers.bundle_figures import figures_agree
from helpers.tagged_texts import Sentence, sentences, write_conll, write_lines
from helpers.toy_server import serving
from multigraft.cli import main
from multigraft.errors import BundleError, DataError
from multigraft.runtime.bundle import read_manifest
from multigraft.runtime.predictor import Predictor
from multigraft.runtime.serving.model import Model
from multigraft.runtime.web.site import write_site
from multigraft_text.backbone import TextBackbone
from multigraft_text.saving import save_tagger

HELD_OUT = sentences(60, seed=2)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    """A run on CoNLL files, tested on JSON lines."""
    folder = tmp_path_factory.mktemp("tagged")
    recipe = {
        "task": "token-classification",
        "backbone": {"name": "bert-tiny", "weights": "scratch"},
        "reader": {"max_length": 32},
        "data": {
            "train": str(write_conll(folder / "train.conll", sentences(300))),
            "test": str(write_conll(folder / "test.conll", HELD_OUT)),
            "leakage": {"near": False},
        },
        "training": {"epochs": 6, "batch_size": 8, "learning_rate": 0.003, "precision": "fp32"},
        "evaluation": {"bootstrap": 30, "batch_size": 7},
        "export": {"precisions": ["fp32", "int8"], "rows": 60, "budget": 50},
        "output": str(folder / "run"),
    }
    return mg.Engine([text], discover=False).start(recipe, "finetune")


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


def tags_of(answer: dict[str, Any], words: Sequence[str]) -> list[str]:
    """An answer as tags of words; an entity that is no whole words is none."""
    tags, starts = ["O"] * len(words), np.cumsum([0, *(len(word) + 1 for word in words)])
    for entity in answer["entities"]:
        first = int(np.searchsorted(starts, entity["start"]))
        after = int(np.searchsorted(starts, entity["end"] + 1))
        assert (starts[first], starts[after]) == (entity["start"], entity["end"] + 1)
        inside = [f"I-{entity['label']}"] * (after - first - 1)
        tags[first:after] = [f"B-{entity['label']}", *inside]
    return tags


def asked(predictor: Predictor, rows: Sequence[Sentence]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = predictor.predict([" ".join(words) for words, _ in rows])
    return found


def test_evaluation_gate_and_bundle_say_what_seqeval_says(
    run: mg.Run, bundle: Path, predictor: Predictor
) -> None:
    answers = asked(predictor, HELD_OUT)
    told = [tags_of(each, words) for each, (words, _) in zip(answers, HELD_OUT, strict=True)]
    true = [tags for _, tags in HELD_OUT]
    wanted = f1_score(true, told)
    assert 0.7 < wanted < 0.995, "neither everything nor nothing is right"
    metrics = run.evaluate().metrics
    assert metrics["f1"].value == pytest.approx(wanted, abs=1e-9)
    assert metrics["precision"].value == pytest.approx(precision_score(true, told), abs=1e-9)
    by_type = f1_score(true, told, average=None)
    assert [metrics[f"f1_{label}"].value for label in ("LOC", "PER")] == pytest.approx(by_type)
    assert metrics["f1"].low is not None and metrics["f1"].low < wanted
    precisions = read_manifest(bundle).precisions
    assert precisions["fp32"].metric == "f1"
    assert precisions["fp32"].value == pytest.approx(wanted, abs=1e-9)
    assert abs(precisions["int8"].value - wanted) < 0.1


def test_another_file_is_measured_row_by_row(run: mg.Run, tmp_path: Path) -> None:
    file = write_conll(tmp_path / "held.conll", HELD_OUT)
    report = run.evaluate(file, rows=tmp_path / "rows.jsonl")
    assert report.metrics == run.evaluate().metrics
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    for row, (words, tags) in zip(rows, HELD_OUT, strict=True):
        told = tags_of({"entities": row["answer"]}, words)
        assert tags_of({"entities": row["expected"]}, words) == tags
        assert row["correct"] == (told == tags)
    assert {row["correct"] for row in rows} == {True, False}


def test_the_command_answers_rows_of_a_plugins_format(
    bundle: Path, predictor: Predictor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_conll(tmp_path / "held.conll", HELD_OUT[:5])
    assert main(["predict", str(bundle), str(file), "--precision", "fp32", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["input"] for each in told] == [" ".join(words) for words, _ in HELD_OUT[:5]]
    assert [each["answer"] for each in told] == [
        {"entities": [{**one, "score": pytest.approx(one["score"], abs=1e-5)} for one in answer]}
        for answer in (each["entities"] for each in asked(predictor, HELD_OUT[:5]))
    ]


def test_words_without_tags_are_answered(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "words.jsonl"
    table.write_text(json.dumps({"words": HELD_OUT[0][0]}) + "\n")
    assert main(["predict", str(bundle), str(table), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["input"] == " ".join(HELD_OUT[0][0])


def test_answers_are_in_the_raw_text(predictor: Predictor) -> None:
    raw = "  Ada met\tGrace  Hopper\nin New York, Alan Mathison Turing left Oslo."
    found = predictor.predict(raw)["entities"]
    assert [(each["text"], each["label"]) for each in found] == [
        ("Ada", "PER"),
        ("Grace  Hopper", "PER"),
        ("New York", "LOC"),
        ("Alan Mathison Turing", "PER"),
        ("Oslo", "LOC"),
    ]
    assert all(raw[each["start"] : each["end"]] == each["text"] for each in found)
    bar = sorted(each["score"] for each in found)[2]
    assert predictor.predict(raw, threshold=bar)["entities"] == [
        each for each in found if each["score"] >= bar
    ]
    assert predictor.predict(raw.encode()) == {"entities": found}


def test_a_long_text_in_windows_is_answered_as_its_sentences_are(predictor: Predictor) -> None:
    """But for words whose meaning is elsewhere than in their window: May alone is left out."""
    rows = [row for row in sentences(1300, seed=3) if "May" not in row[0]]
    parts = [" ".join(words) for words, _ in rows]
    starts = np.cumsum([0, *(len(part) + 1 for part in parts[:-1])]).tolist()
    whole = " ".join(parts)
    assert len(whole) > 20_000
    (found,) = predictor.predict([whole], long="window")
    joined = {(each["start"], each["end"], each["label"]) for each in found["entities"]}
    assert len(joined) == len(found["entities"]), "none is doubled"
    alone = {
        (start + each["start"], start + each["end"], each["label"])
        for start, answer in zip(starts, predictor.predict(parts), strict=True)
        for each in answer["entities"]
    }
    assert len(alone) > 1000
    assert len(joined & alone) / len(alone | joined) > 0.99
    ends = sorted(joined)
    assert all(before[1] <= behind[0] for before, behind in pairwise(ends))


def test_the_graph_takes_no_places_and_gives_one_thing(run: mg.Run, bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert {port.name for port in manifest.inputs} == {
        *("input_ids", "attention_mask", "token_type_ids")
    }
    assert [port.name for port in manifest.outputs] == ["log_probabilities"]
    assert json.loads((bundle / "bundle.json").read_text())["answers"] == "tagging"
    assert run.targets == {"labels": ["LOC", "PER"], "words": "spaced"}


def test_the_folder_opens_as_a_token_classifier(run: mg.Run, predictor: Predictor) -> None:
    folder = run.folder / "model"
    model = transformers.AutoModelForTokenClassification.from_pretrained(folder)
    assert model.config.id2label == {0: "O", 1: "B-LOC", 2: "I-LOC", 3: "B-PER", 4: "I-PER"}
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    raw = "Ada met Grace Hopper in New York"
    encoded = tokenizer(raw, return_tensors="pt")
    with torch.no_grad():
        theirs = model.eval()(**encoded).logits.log_softmax(-1)[0].numpy()
    (ours,) = predictor.outputs([raw])
    np.testing.assert_allclose(ours["log_probabilities"], theirs, atol=1e-4)


def test_a_run_opens_again_and_goes_on(run: mg.Run, tmp_path: Path) -> None:
    opened = mg.Engine([text], discover=False).open(run.folder)
    assert opened.evaluate().metrics["f1"].value == run.evaluate().metrics["f1"].value
    recipe: dict[str, Any] = {
        "task": "token-classification",
        "backbone": {"name": "bert-tiny", "weights": str(run.folder)},
        "data": {
            "train": str(write_lines(tmp_path / "more.jsonl", sentences(40, seed=5))),
            "columns": {"words": "tokens"},
        },
        "training": {"epochs": 1, "learning_rate": 1e-6},
        "output": str(tmp_path / "run"),
    }
    onward = mg.Engine([text], discover=False).start(recipe, "finetune")
    assert onward.facts["head_inherited"]


@pytest.mark.parametrize(
    ("family", "whole"),
    [
        *[("bert", True), ("roberta", True), ("distilbert", True), ("electra", True)],
        *[("gpt2", True), ("llama", True), ("modernbert", False)],
    ],
)
def test_relatives_are_saved_as_taggers_where_a_layer_is_all_between(
    family: str, whole: bool, tmp_path: Path
) -> None:
    """ModernBERT's token classifier has layers of its own before the last one."""
    shape = {"vocab_size": 40, "hidden_size": 16, "num_attention_heads": 2, "pad_token_id": 0}
    shape |= {"num_hidden_layers": 2, "intermediate_size": 32}
    names = {"distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}}
    names["gpt2"] = {"n_embd": 16, "n_layer": 2, "n_head": 2}
    own = {"vocab_size": 40, "pad_token_id": 0, **names[family]} if family in names else shape
    config = transformers.AutoConfig.for_model(family, **own)
    classifier = transformers.AutoModelForSequenceClassification.from_config(config)
    module = TextBackbone(classifier, {"token_types": False}, source=None).eval()
    head = nn.Linear(16, 3)
    assert save_tagger(classifier, tmp_path, head=head, labels=["O", "B-X", "I-X"]) is whole
    if not whole:
        transformers.AutoModel.from_pretrained(tmp_path)
        return
    tagger, found = transformers.AutoModelForTokenClassification.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert not found["missing_keys"]
    batch = {"input_ids": torch.randint(1, 40, (2, 7)), "attention_mask": torch.ones(2, 7).long()}
    with torch.no_grad():
        sequence = module(batch).sequence
        assert torch.equal(tagger.eval()(**batch).logits, head(sequence))


def test_a_server_and_the_command_line_answer_alike(
    bundle: Path, predictor: Predictor, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = "Ada met Grace Hopper in New York"
    wanted = json.loads(json.dumps(predictor.predict(raw)))
    with serving(Model("entities", predictor, text.TEXT)) as served:
        said = served.client.post("/predict", json={"inputs": [raw, ""]}).json()["answers"]
        assert said[0] == wanted
        assert said[1]["error"] == "the text is empty"
    assert main(["predict", str(bundle), raw, "--precision", "fp32", "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert shown["answer"] == wanted


def test_a_page_without_a_server_says_that_it_cannot(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"does not tell which characters.*multigraft serve"):
        write_site(bundle, tmp_path / "site", catalog=mg.Catalog([text], discover=False))


WITHOUT_TORCH = """
import json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "onnx", "datasets", "pyarrow"}:
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Absent())
import multigraft as mg
print(json.dumps(mg.load(sys.argv[1], precision="fp32").predict(sys.argv[2])))
"""


def test_it_answers_without_torch(bundle: Path, predictor: Predictor) -> None:
    raw = "Ada met Grace Hopper in New York"
    command = [sys.executable, "-c", WITHOUT_TORCH, str(bundle), raw]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == predictor.predict(raw)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("bio", r"sentence 3: column 'tags' has at word 1 the tag 'I-LOC', which goes on with"),
        ("iob1", None),
    ],
)
def test_a_broken_sequence_stops_the_run_by_its_place(
    option: str, said: str | None, tmp_path: Path
) -> None:
    rows = sentences(30)
    rows[2] = (["Rome", "fell"], ["I-LOC", "O"])
    recipe: dict[str, Any] = {
        "task": {"name": "token-classification", "scheme": option},
        "backbone": {"name": "bert-tiny", "weights": "scratch"},
        "data": str(write_conll(tmp_path / "broken.conll", rows)),
        "training": {"epochs": 1},
        "output": str(tmp_path / "run"),
    }
    engine = mg.Engine([text], discover=False)
    if said is None:
        assert engine.start(recipe, "finetune").targets["labels"] == ["LOC", "PER"]
        return
    with pytest.raises(DataError, match=said):
        engine.start(recipe, "finetune")


def test_a_bad_row_is_kept_with_its_column(tmp_path: Path) -> None:
    rows = sentences(30)
    rows[2] = (["Rome", "fell"], ["I-LOC", "O"])
    recipe = {
        "task": "token-classification",
        "backbone": {"name": "bert-tiny", "weights": "scratch"},
        "data": {
            "train": str(write_conll(tmp_path / "broken.conll", rows)),
            "on_bad_row": "quarantine",
            "split": {"test": 0.0, "validation": 0.0},
        },
        "training": {"steps": 1},
        "output": str(tmp_path / "run"),
    }
    run = mg.Engine([text], discover=False).start(recipe, "finetune")
    (line,) = (run.folder / "quarantine" / "train.jsonl").read_text().splitlines()
    kept = json.loads(line)
    assert (kept["file"], kept["row"], kept["column"]) == ("broken.conll", 3, "tags")
    assert kept["cells"]["words"] == ["Rome", "fell"]


def test_a_type_that_training_never_saw_is_a_bad_row(tmp_path: Path) -> None:
    other = [(["Monday"], ["B-DAY"]), *sentences(5, seed=9)]
    recipe = {
        "task": "token-classification",
        "backbone": {"name": "bert-tiny", "weights": "scratch"},
        "data": {
            "train": str(write_conll(tmp_path / "rows.conll", sentences(30))),
            "test": str(write_conll(tmp_path / "other.conll", other)),
        },
        "output": str(tmp_path / "run"),
    }
    with pytest.raises(
        DataError, match=r"other\.conll sentence 1, column 'spans': type 'DAY' was not seen"
    ):
        mg.Engine([text], discover=False).start(recipe, "finetune")


def test_the_bundle_has_the_figures_of_its_run(run: mg.Run, bundle: Path) -> None:
    assert bundle == run.folder / "bundle"
    figures_agree(run)
