"""A table's answers as a file: in order, beside its columns, the same after any number of kills."""

from __future__ import annotations

import csv
import datetime
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet, table

from helpers.toy_bundles import LABELS, shipped
from multigraft.errors import DataError, PredictError
from multigraft.evaluation.file_answers import answer_file
from multigraft.evaluation.file_answers.answer_file import FileAnswers, predict_file
from multigraft.evaluation.file_answers.flat_answers import AnswerColumns
from multigraft.evaluation.file_answers.journal import Journal
from multigraft.runtime import Predictor, load

ENDINGS = (".jsonl", ".csv", ".parquet")


@pytest.fixture(scope="module")
def run() -> Any:
    return shipped("numbers")


@pytest.fixture(scope="module")
def predictor(run: Any) -> Predictor:
    return load(run.folder / "bundle", precision="fp32", catalog=run.catalog)


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_file, "GROUP", 8)
    monkeypatch.setattr(answer_file, "PART", 24)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Fifty rows of one to nine numbers, of which two cannot be read."""
    chance = random.Random(0)
    texts = [" ".join(str(chance.randint(1, 9)) for _ in range(1 + row % 9)) for row in range(50)]
    texts[7], texts[20] = "no number", ""
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [("id", "text", "answer"), *((f"r{n}", text, "ü") for n, text in enumerate(texts))]
        )
    return tmp_path / "rows.csv"


@pytest.fixture
def answer(predictor: Predictor, run: Any) -> Callable[..., FileAnswers]:
    def to_file(data: Any, into: Path, **settings: Any) -> FileAnswers:
        return predict_file(predictor, data, into, catalog=run.catalog, **settings)

    return to_file


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if path.suffix == ".parquet":
        return parquet.read_table(path).to_pylist()
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("ending", ENDINGS)
def test_answers_stand_in_order_beside_the_columns(
    answer: Callable[..., FileAnswers],
    predictor: Predictor,
    rows: Path,
    tmp_path: Path,
    ending: str,
) -> None:
    made = answer(rows, tmp_path / "deep" / f"answers{ending}")
    found = read(made.path)
    assert (made.rows, made.failed, made.resumed) == (50, 2, 0)
    assert [row["id"] for row in found] == [f"r{number}" for number in range(50)]
    assert list(found[0]) == [
        *("id", "text", "answer", "answer_label", "answer_score"),
        *(f"answer_scores_{label}" for label in sorted(LABELS)),
        "answer_error",
    ]
    texts = [row["text"] or "empty" for row in read(rows)]
    for row, wanted in zip(found, predictor.predict(texts, on_error="return"), strict=True):
        if "error" in wanted:
            assert row["answer_error"] and not row["answer_label"]
            continue
        assert row["answer_label"] == wanted["label"] and not row["answer_error"]
        score = float(row["answer_score"])
        assert score == pytest.approx(wanted["score"], abs=1e-5)
        assert float(row[f"answer_scores_{wanted['label']}"]) == pytest.approx(score)
    assert "holds no known numbers" in found[7]["answer_error"]
    assert "item" not in found[7]["answer_error"] and "is empty" in found[20]["answer_error"]
    assert not list(made.path.parent.glob(".*"))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_is_the_same_whenever_it_was_stopped(
    answer: Callable[..., FileAnswers],
    rows: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
) -> None:
    whole = answer(rows, tmp_path / f"whole{ending}").path
    add, groups = Journal.add, 0

    def torn(self: Journal, answers: Any) -> None:
        """Every third group is written in part, and then the process is stopped."""
        nonlocal groups
        groups += 1
        if groups % 3:
            add(self, answers)
            return
        add(self, answers[:5])
        self._file.write(b'{"label": "hi')
        self._file.flush()
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "add", torn)
    into, stops = tmp_path / f"answers{ending}", 0
    while True:
        try:
            made = answer(rows, into)
            break
        except KeyboardInterrupt:
            stops += 1
            assert not into.exists()
    assert stops == 3 and made.resumed == 48
    assert into.read_bytes() == whole.read_bytes()


SCRIPT = """
import sys, time
import multigraft as mg
from helpers import toy_plugin
from multigraft.evaluation.file_answers import answer_file
from multigraft.evaluation.file_answers.journal import Journal

answer_file.GROUP, answer_file.PART = 8, 24
add = Journal.add
def slow(self, answers):
    add(self, answers)
    print("group", flush=True)
    time.sleep(0.02)
Journal.add = slow
catalog = mg.Catalog([toy_plugin], discover=False)
predictor = mg.load(sys.argv[1], precision="fp32", catalog=catalog)
print(mg.predict_file(predictor, sys.argv[2], sys.argv[3], catalog=catalog).resumed)
"""


def test_kills_change_nothing(
    answer: Callable[..., FileAnswers], run: Any, rows: Path, tmp_path: Path
) -> None:
    whole = answer(rows, tmp_path / "whole.parquet").path
    into = tmp_path / "answers.parquet"
    tests = Path(__file__).parents[2]
    command = [sys.executable, "-c", SCRIPT, str(run.folder / "bundle"), str(rows), str(into)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), *sys.path])}
    for kill_after in (2, 3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as child:
            assert child.stdout is not None
            for _ in range(kill_after):
                child.stdout.readline()
            child.send_signal(signal.SIGKILL)
    done = subprocess.run(command, capture_output=True, env=environment, check=True, text=True)
    assert int(done.stdout.splitlines()[-1]) >= 32
    assert into.read_bytes() == whole.read_bytes()


def test_other_data_or_questions_begin_anew(
    answer: Callable[..., FileAnswers],
    rows: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    into = tmp_path / "answers.csv"

    def stopped(**asked: Any) -> None:
        add, count = Journal.add, 0

        def twice(self: Journal, answers: Any) -> None:
            nonlocal count
            count += 1
            if count > 2:
                raise KeyboardInterrupt
            add(self, answers)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Journal, "add", twice)
            answer(rows, into, **asked)

    stopped(top_k=1)
    assert answer(rows, into).resumed == 0
    stopped()
    rows.write_text(rows.read_text(encoding="utf-8").replace("r49,", "r49,9 "), encoding="utf-8")
    assert answer(rows, into).resumed == 0
    stopped()
    assert answer(rows, into, keep=["id"]).resumed == 16


def test_chosen_columns_stand_beside(
    answer: Callable[..., FileAnswers], rows: Path, tmp_path: Path
) -> None:
    made = answer(rows, tmp_path / "a.csv", keep=["id"], top_k=1)
    assert list(read(made.path)[0])[:3] == ["id", "answer_label", "answer_score"]
    assert "text" not in read(answer(rows, tmp_path / "b.csv", keep=[]).path)[0]
    with pytest.raises(DataError, match="no column 'idd' to keep; did you mean 'id'"):
        answer(rows, tmp_path / "c.csv", keep=["idd"])


def test_types_of_columns_are_kept(answer: Callable[..., FileAnswers], tmp_path: Path) -> None:
    day = datetime.date(2024, 2, 29)
    columns = {
        "review": ["1 2", "3"],
        "stars": [5, None],
        "day": [day, day],
        "photo": [b"\xff", b""],
        "tags": [["a", "b"], []],
    }
    parquet.write_table(table(columns), tmp_path / "rows.parquet")
    made = answer(tmp_path / "rows.parquet", tmp_path / "a.parquet", columns={"text": "review"})
    first, second = read(made.path)
    assert (first["stars"], second["stars"], first["day"]) == (5, None, day)
    assert first["tags"] == '["a", "b"]' and "photo" not in first and first["review"] == "1 2"
    lines = read(
        answer(tmp_path / "rows.parquet", tmp_path / "a.jsonl", columns={"text": "review"}).path
    )
    assert lines[0]["tags"] == ["a", "b"] and lines[0]["day"] == "2024-02-29"


def test_blank_lines_of_a_text_stay_rows(
    answer: Callable[..., FileAnswers], tmp_path: Path
) -> None:
    (tmp_path / "lines.txt").write_bytes(b"\xef\xbb\xbf1 2\r\n\r\n3\n\n")
    found = read(answer(tmp_path / "lines.txt", tmp_path / "a.jsonl").path)
    assert [row["text"] for row in found] == ["1 2", "", "3", ""]
    assert [row["answer_error"] is None for row in found] == [True, False, True, False]
    assert "no numbers" in found[1]["answer_error"]  # what this toy makes of a row without tokens


def test_rows_may_be_given_in_python(
    answer: Callable[..., FileAnswers], rows: Path, tmp_path: Path
) -> None:
    given = pd.read_csv(rows, keep_default_na=False).replace("", None)
    made = answer(given, tmp_path / "given.csv").path
    assert read(made) == read(answer(rows, tmp_path / "file.csv").path)


def test_several_files_are_one(
    answer: Callable[..., FileAnswers], rows: Path, tmp_path: Path
) -> None:
    made = answer([str(rows), str(rows.parent / "*.csv")], tmp_path / "a.jsonl")
    assert made.rows == 50


@pytest.mark.parametrize(
    ("into", "asked", "error", "said"),
    [
        ("a.xlsx", {}, DataError, "rows are written as .jsonl, .csv, .parquet"),
        ("a.csv", {"top_k": 0}, PredictError, "top_k is 0"),
        ("a.csv", {"topk": 1}, PredictError, "take no 'topk'; did you mean 'top_k'"),
        ("a.csv", {"columns": {"text": "txt"}}, DataError, "did you mean 'text'"),
    ],
)
def test_wrong_calls_leave_nothing(
    answer: Callable[..., FileAnswers],
    rows: Path,
    tmp_path: Path,
    into: str,
    asked: dict[str, Any],
    error: type[Exception],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        answer(rows, tmp_path / into, **asked)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["rows.csv"]


def test_a_column_that_is_called_as_an_answers_is_told(
    answer: Callable[..., FileAnswers], tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("text,answer_label\n1 2,x\n")
    with pytest.raises(DataError, match="'answer_label', which is one of the answers' names"):
        answer(tmp_path / "rows.csv", tmp_path / "a.csv")


class TestColumns:
    def test_nested_fields_are_json_and_plain_mappings_are_spread(self) -> None:
        answers: list[dict[str, Any]] = [
            {"objects": [{"label": "cat", "box": [0, 1, 2, 3]}], "scores": {"a": 0.5, "b": 1}},
            {"objects": [], "scores": {"a": 0.25}, "text": "t"},
            {"error": "broken"},
        ]
        columns = AnswerColumns.of(answers)
        assert columns.types() == {
            "answer_objects": str,
            "answer_scores_a": float,
            "answer_scores_b": int,
            "answer_text": str,
            "answer_error": str,
        }
        assert columns.row(answers[0])["answer_objects"] == answers[0]["objects"]
        assert columns.row(answers[1]) == {
            "answer_objects": [],
            "answer_scores_a": 0.25,
            "answer_text": "t",
        }

    def test_a_mapping_of_many_keys_or_of_lists_stays_one_column(self) -> None:
        many = {"scores": {str(key): 1.0 for key in range(101)}}
        assert list(AnswerColumns.of([many]).types()) == ["answer_scores", "answer_error"]
        nested = {"boxes": {"cat": [1, 2]}}
        assert list(AnswerColumns.of([nested]).types()) == ["answer_boxes", "answer_error"]

    def test_a_column_of_several_types_is_text(self) -> None:
        assert AnswerColumns.of([{"a": 1}, {"a": "x"}]).types()["answer_a"] is str
        assert AnswerColumns.of([{"a": 1}, {"a": 0.5}]).types()["answer_a"] is float
        assert AnswerColumns.of([{"a": None}]).types()["answer_a"] is None


class TestJournal:
    def test_arrays_and_numbers_without_a_word_in_json(self, tmp_path: Path) -> None:
        journal = Journal(tmp_path / "j", {}, 1)
        journal.add([{"a": np.float32(0.5), "b": np.arange(2), "c": float("nan"), "d": "\ud83d"}])
        assert list(journal.answers()) == [{"a": 0.5, "b": [0, 1], "c": None, "d": "\ud83d"}]

    def test_no_other_process_writes_it_meanwhile(self, tmp_path: Path) -> None:
        journal = Journal(tmp_path / "j", {}, 1)
        with pytest.raises(DataError, match="another process is writing it"):
            Journal(tmp_path / "j", {}, 1)
        journal.add([{"a": 1}])
        journal.leave()
        assert Journal(tmp_path / "j", {}, 1).done == 1

    def test_what_is_no_journal_is_begun_anew(self, tmp_path: Path) -> None:
        for content in (b"", b"nonsense", b"\0" * 100, b'{"other": 1}\n{}\n'):
            (tmp_path / "j").write_bytes(content)
            journal = Journal(tmp_path / "j", {"rows": 1}, 1)
            assert journal.done == 0 and list(journal.answers()) == []
            journal.leave()
            assert not (tmp_path / "j").exists()


def test_memory_does_not_grow_with_the_rows(
    answer: Callable[..., FileAnswers],
    rows: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No more values and answers are held at a time than a group and a part have."""
    held: list[int] = []
    predict = Predictor.predict

    def counted(self: Predictor, raw: Any, **asked: Any) -> Any:
        held.append(len(raw))
        return predict(self, raw, **asked)

    parts: list[int] = []
    rows_of = answer_file._rows
    monkeypatch.setattr(Predictor, "predict", counted)
    monkeypatch.setattr(
        answer_file, "_rows", lambda own, *rest: (parts.append(len(own)), rows_of(own, *rest))[1]
    )
    answer(rows, tmp_path / "a.csv")
    assert max(held) <= 8 and sum(held) == 49
    assert parts == [24, 24, 2]


def test_speed_is_that_of_the_rows_of_this_call(
    answer: Callable[..., FileAnswers], tmp_path: Path
) -> None:
    began = time.perf_counter()
    (tmp_path / "rows.csv").write_text("text\n" + "1 2 3\n" * 200)
    made = answer(tmp_path / "rows.csv", tmp_path / "a.csv")
    assert 0 < made.seconds <= time.perf_counter() - began
    assert made.rows_per_second == pytest.approx(200 / made.seconds)
    resumed = FileAnswers(made.path, rows=200, failed=0, resumed=150, seconds=2.0)
    assert resumed.rows_per_second == 25


def test_no_torch_is_needed(run: Any, rows: Path, tmp_path: Path) -> None:
    script = SCRIPT + "\nprint('torch' in sys.modules)"
    tests = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), *sys.path])}
    into = tmp_path / "answers.parquet"
    command = [sys.executable, "-c", script, str(run.folder / "bundle"), str(rows), str(into)]
    done = subprocess.run(command, capture_output=True, env=environment, check=True, text=True)
    assert done.stdout.splitlines()[-2:] == ["0", "False"]
