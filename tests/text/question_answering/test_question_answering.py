"""Question answering the whole way: what evaluation, gate and bundle say of answers is one."""

from __future__ import annotations

import csv
import json
import re
import string
import subprocess
import sys
from ast import literal_eval
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import multigraft as mg
import multigraft_text as text
from docs.test_docs import ROOT, example
from helpers.asked_passages import Row, questions, renamed, write_lines, write_squad
from helpers.bundle_figures import figures_agree
from helpers.toy_server import serving
from multigraft.cli import main
from multigraft.contracts.types import Arrays
from multigraft.errors import BundleError, DataError
from multigraft.export.acceptance.gate import judge_of, measure_graphs
from multigraft.runtime import length_batches
from multigraft.runtime.bundle import read_manifest
from multigraft.runtime.predictor import Predictor
from multigraft.runtime.read_value import ReadValue
from multigraft.runtime.serving.model import Model
from multigraft.runtime.web.site import write_site

HELD_OUT = renamed(questions(60, seed=2, longest=50), "Rome", "Lyon")
"""Most are longer than a row; a city among them is strange."""
PAIRS = [(row["question"], row["context"]) for row in HELD_OUT]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    folder = tmp_path_factory.mktemp("asked")
    held = {"validation": questions(60, seed=5, longest=50), "test": HELD_OUT}
    recipe = {
        "task": "question-answering",
        "backbone": {"name": "bert-tiny", "weights": "scratch"},
        "reader": {"max_length": 24},
        "data": {
            "train": str(write_squad(folder / "train.json", questions(400))),
            **{
                name: str(write_squad(folder / f"{name}.json", rows)) for name, rows in held.items()
            },
            "format": "squad",
            "leakage": {"near": False},
        },
        "training": {"epochs": 10, "batch_size": 8, "learning_rate": 0.003, "precision": "fp32"},
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


def plain(said: str) -> list[str]:
    """SQuAD's normalisation, written again from its description."""
    kept = "".join(sign for sign in said.lower() if sign not in string.punctuation)
    return [word for word in re.split(r"\s+", kept) if word and word not in ("a", "an", "the")]


def f1(said: str, wanted: list[str]) -> float:
    best = 0.0
    for each in wanted or [""]:
        one, other = plain(said), plain(each)
        if not one or not other:
            best = max(best, float(one == other))
            continue
        both = sum(min(count, Counter(other)[word]) for word, count in Counter(one).items())
        if both:
            precision, recall = both / len(one), both / len(other)
            best = max(best, 2 * precision * recall / (precision + recall))
    return best


def scored(answers: list[dict[str, Any]], rows: list[Row]) -> tuple[float, float]:
    """Exact match and F1 of answers as people get them."""
    wanted = [[each["text"] for each in row["answers"]] for row in rows]
    told = [answer["text"] or "" for answer in answers]
    pairs = list(zip(told, wanted, strict=True))
    exact = [any(plain(a) == plain(b) for b in texts or [""]) for a, texts in pairs]
    return sum(exact) / len(rows), sum(f1(a, texts) for a, texts in pairs) / len(rows)


def test_evaluation_gate_and_bundle_say_the_same(
    run: mg.Run, bundle: Path, predictor: Predictor, tmp_path: Path
) -> None:
    exact, wanted = scored(predictor.predict(PAIRS), HELD_OUT)
    assert 0.5 < wanted < 0.999, "neither everything nor nothing is right"
    metrics = run.evaluate(rows=tmp_path / "rows.csv").metrics
    lines = list(csv.DictReader((tmp_path / "rows.csv").open()))
    assert [json.loads(line["expected"]) for line in lines] == [row["answers"] for row in HELD_OUT]
    assert metrics["f1"].value == pytest.approx(wanted, abs=1e-9)
    assert metrics["exact_match"].value == pytest.approx(exact, abs=1e-9)
    assert metrics["f1"].low is not None and metrics["f1"].low < wanted
    precisions = read_manifest(bundle).precisions
    assert precisions["fp32"].metric == "f1"
    assert precisions["fp32"].value == pytest.approx(wanted, abs=1e-9)


def test_int8_is_what_the_gate_measured(run: mg.Run, bundle: Path) -> None:
    """In the batches of the gate: what int8 rounds to follows from the rows beside a row, and a
    predictor's batches from what was fastest."""
    gated = read_manifest(bundle).precisions["int8"]
    assert gated.accepted and gated.metric == "f1"
    held = mg.load(bundle, precision="int8")
    session: Any = held._session
    sessions = {"fp32": session, "int8": session}
    measured = measure_graphs(run, "test", sessions)["int8"].measure.value
    assert measured == pytest.approx(gated.value, abs=1e-9)
    told = scored(held.predict(PAIRS), HELD_OUT)[1]
    assert told == pytest.approx(gated.value, abs=0.05), "3 of 60 questions"


class Blunt:
    """A graph that knows nothing of where an answer stands."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def run(self, arrays: Arrays) -> Arrays:
        found = self.session.run(arrays)
        return {**found, "span_logits": np.zeros_like(found["span_logits"])}


def test_a_precision_that_loses_f1_is_refused(run: mg.Run, predictor: Predictor) -> None:
    """In windows too: the same graph passes beside itself."""
    session: Any = predictor._session
    sessions = {"fp32": session, "int8": session, "blunt": Blunt(session)}
    found, judge = measure_graphs(run, "test", sessions), judge_of(run)
    judge = replace(judge, budget=1.0)
    assert judge.metric == "f1"
    assert judge.verdict(found["int8"], found["fp32"]).loss.points == 0
    assert found["int8"].changed == 0
    refused = judge.verdict(found["blunt"], found["fp32"])
    assert not refused.accepted
    assert refused.loss.points > 20
    assert "f1" in refused.reason


def test_a_long_passage_is_learned_from_and_answered_in_windows(
    run: mg.Run, predictor: Predictor
) -> None:
    assert len(run.rows["train"]) > 400, "a row for each window"
    assert len(run.rows["test"]) == 60, "a row for each question"
    whole, cut = predictor.predict(PAIRS), predictor.predict(PAIRS, long="truncate")
    assert whole == predictor.predict(PAIRS, long="window")
    assert scored(cut, HELD_OUT)[1] < scored(whole, HELD_OUT)[1] - 0.1
    far = " ".join(["the people of that river"] * 60) + " came back Kyoto again"
    found = predictor.predict(("Which city is it?", far))
    assert (found["text"], found["start"]) == ("Kyoto", far.index("Kyoto"))


def test_a_city_over_a_seam_of_a_long_passage_is_found(predictor: Predictor) -> None:
    """In 20,000 characters: none is lost, none told elsewhere."""
    question, passage = "Which city is it?", "the people of that long green river " * 556
    assert len(passage) > 20_000
    windows = predictor.reader.windows((question, passage))  # type: ignore[attr-defined]
    for window in windows[5::24]:
        seam = int(window["places"][:, 1].max())
        start = passage.rindex(" ", 0, seam) + 1
        told = f"{passage[:start]}New York {passage[start:]}"
        found = predictor.predict((question, told))
        assert (found["text"], found["start"]) == ("New York", start)
    assert predictor.predict((question, passage))["text"] is None


def test_answers_are_in_the_raw_passage(predictor: Predictor) -> None:
    raw = "  they\twent \n to New   York in  1906, and back"
    found = predictor.predict(("Which year is it?", raw))
    assert (found["text"], raw[found["start"] : found["end"]]) == ("1906", "1906")
    none = predictor.predict(("Which year is it?", "the people of that long green river"))
    assert (none["text"], none["start"], none["end"]) == (None, None, None)
    assert none["best"]["text"]
    asked = predictor.predict(("Which year is it?", "the people of that river"), threshold=0)
    assert asked["text"] is not None
    assert predictor.predict(("Which year is it?", raw), threshold=1.0)["best"]["text"] == "1906"


def test_the_threshold_is_in_the_bundle(run: mg.Run, bundle: Path) -> None:
    targets = read_manifest(bundle).targets
    assert targets == run.targets
    assert 0 < targets["threshold"] < 1
    assert (targets["longest"], targets["unanswerable"]) == (8, True)
    assert json.loads((bundle / "bundle.json").read_text())["answers"] == "extraction"
    assert {port.name for port in read_manifest(bundle).outputs} == {"span_logits", "null_logits"}


def test_the_page_shows_what_is_answered(
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "runs" / "asked").mkdir(parents=True)
    (tmp_path / "runs" / "asked" / "bundle").symlink_to(bundle)
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "tasks" / "question-answering.md").read_text(encoding="utf-8")
    exec(example(page, "answers"), {})
    found, shown = capsys.readouterr().out.splitlines(), re.findall(r"^{'text'.*", page, re.M)
    assert len(found) == len(shown) == 2
    for one, other in zip(map(literal_eval, found), map(literal_eval, shown), strict=True):
        score = other.pop("score")
        assert one.pop("score") == pytest.approx(score, abs=1e-3)
        assert one == other


def test_a_run_opens_again(run: mg.Run) -> None:
    opened = mg.Engine([text], discover=False).open(run.folder)
    assert opened.evaluate().metrics["f1"] == run.evaluate().metrics["f1"]


def test_a_server_reads_windows_too(bundle: Path, predictor: Predictor) -> None:
    question, passage = max(PAIRS, key=lambda pair: len(pair[1]))
    wanted = json.loads(json.dumps(predictor.predict((question, passage))))
    with serving(Model("asked", predictor, text.TEXT)) as served:
        given = [{"text": question, "text_pair": passage}, {"text": question, "text_pair": ""}]
        said = served.client.post("/predict", json={"inputs": given}).json()["answers"]
    assert said[0]["text"] == wanted["text"]
    assert said[0]["score"] == pytest.approx(wanted["score"], abs=1e-5)
    assert said[1]["error"]


def test_a_server_holds_few_windows_at_a_time(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many long passages came together."""
    held: list[int] = []
    answers = predictor.answers

    def noted(values: Sequence[ReadValue]) -> list[Any]:
        held.append(len(values))
        return answers(values)

    read = [ReadValue(pair, (predictor.reader.read(pair),), predictor.check({})) for pair in PAIRS]
    wanted = predictor.predict(PAIRS)
    monkeypatch.setattr(predictor, "answers", noted)
    monkeypatch.setattr(length_batches, "READ_BYTES", 8_000)
    found = predictor.finish(read)
    assert [each["text"] for each in found] == [each["text"] for each in wanted]
    assert 5 < len(held) < len(PAIRS) and sum(held) == len(PAIRS)


def test_a_page_without_a_server_says_that_it_cannot(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"does not tell which characters.*multigraft serve"):
        write_site(bundle, tmp_path / "site", catalog=mg.Catalog([text], discover=False))


def test_a_table_needs_no_answers_to_be_answered(
    bundle: Path, predictor: Predictor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "asked.jsonl"
    rows = [{"question": one, "passage": other, "answers": "odd"} for one, other in PAIRS[:2]]
    del rows[0]["answers"]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["predict", str(bundle), str(table), "--precision", "fp32", "--json"]) == 0
    told = [each["answer"]["text"] for each in json.loads(capsys.readouterr().out)]
    assert told == [each["text"] for each in predictor.predict(PAIRS[:2])]


def test_a_text_alone_is_refused(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(bundle), "Which city is it?", "--json"]) == 1
    (shown,) = json.loads(capsys.readouterr().out)
    assert "a question and its passage are needed" in shown["answer"]["error"]


WITHOUT_TORCH = """
import json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "onnx", "datasets", "pyarrow"}:
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Absent())
import multigraft as mg
print(json.dumps(mg.load(sys.argv[1], precision="fp32").predict(tuple(sys.argv[2:]))))
"""


def test_it_answers_without_torch(bundle: Path, predictor: Predictor) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(bundle), *PAIRS[0]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == predictor.predict(PAIRS[0])


def test_an_answer_beyond_its_passage_stops_the_run_by_its_place(tmp_path: Path) -> None:
    rows = questions(30, answered=1.0)
    rows[2]["answers"][0]["start"] = 900
    recipe: dict[str, Any] = {
        "task": "question-answering",
        "backbone": {"name": "bert-tiny", "weights": "scratch"},
        "data": str(write_lines(tmp_path / "asked.jsonl", rows)),
        "output": str(tmp_path / "run"),
    }
    with pytest.raises(DataError, match=r"asked\.jsonl row 3: column 'answers' has '.*at 900"):
        mg.Engine([text], discover=False).start(recipe, "finetune")


def test_a_training_row_that_cannot_be_cut_keeps_its_place(tmp_path: Path) -> None:
    """Rows before it are several each; it is still called by its number in the file."""
    rows = questions(30, longest=60)
    rows[20]["question"] = "Which city is it? " * 20
    recipe: dict[str, Any] = {
        "task": "question-answering",
        "backbone": {"name": "bert-tiny", "weights": "scratch"},
        "reader": {"max_length": 32},
        "data": {
            "train": str(write_lines(tmp_path / "asked.jsonl", rows)),
            "split": {"validation": 0.0, "test": 0.0},
        },
        "output": str(tmp_path / "run"),
    }
    with pytest.raises(DataError, match=r"asked\.jsonl row 21: the question has \d+ tokens"):
        mg.Engine([text], discover=False).start(recipe, "finetune")


def test_the_bundle_has_the_figures_of_its_run(run: mg.Run, bundle: Path) -> None:
    assert bundle == run.folder / "bundle"
    figures_agree(run)
