"""Rows of pairs: what the columns make of them, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
import multigraft_text as text
from multigraft.errors import DataError, RowError
from multigraft_text.similarity.pairs import pair_rows, pair_spec, text_id


@pytest.mark.parametrize(
    ("row", "pair"),
    [
        ({"text": "a", "text_pair": "b"}, {"positive": "b"}),
        ({"text": "a", "positive": "b"}, {"positive": "b"}),
        ({"text": "a", "positive": "b", "negative": "c"}, {"positive": "b", "negative": "c"}),
        ({"text": "a", "text_pair": "b", "score": "4.5"}, {"positive": "b", "score": 4.5}),
        ({"text": "a", "text_pair": "b", "score": True}, {"positive": "b", "score": 1.0}),
        ({"text": "a", "pair": {"positive": "b"}}, {"positive": "b"}),
    ],
)
def test_the_columns_decide_what_a_row_is(row: dict[str, Any], pair: dict[str, Any]) -> None:
    assert pair_rows({**row, "id": 7}) == {"text": "a", "pair": pair, "id": 7}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "a"}, "beside the text stands nothing; allowed are text and text_pair"),
        ({"text": "a", "positive": "b", "negative": "c", "score": 1}, "negative, positive, score"),
        ({"text": "a", "negative": "c"}, "beside the text stands negative"),
        ({"text": "a", "text_pair": "b", "positive": "b"}, "the same column twice"),
        ({"text": "a", "text_pair": None}, "the text is missing"),
        ({"text": "a", "text_pair": "b", "negative": None}, "the text is missing"),
        ({"text": "a", "text_pair": "b", "negative": " b "}, "the negative is the positive"),
        (
            {"text": "a", "text_pair": "b", "score": None},
            "a NoneType, is no finite number",
        ),
        ({"text": "a", "text_pair": "b", "score": "high"}, "the score 'high' is no finite number"),
        ({"text": "a", "text_pair": "b", "score": float("nan")}, "a float, is no finite"),
        ({"text": "a", "text_pair": "b", "score": 10**400}, "an? int, is no finite"),
        ({"text": "a", "text_pair": 3}, "text is needed"),
    ],
)
def test_a_row_that_is_no_pair_is_refused(row: dict[str, Any], said: str) -> None:
    with pytest.raises(RowError, match=said):
        pair_rows(row)


def test_a_bad_cell_is_named_by_its_column() -> None:
    with pytest.raises(RowError) as caught:
        pair_rows({"text": "a", "positive": "b", "negative": ""})
    assert caught.value.column == "negative"


def test_mixed_forms_are_refused() -> None:
    with pytest.raises(DataError, match="the training rows are pairs and scores; all must have"):
        pair_spec({"pair": [{"positive": "a"}, {"positive": "a", "score": 1.0}]})
    with pytest.raises(DataError, match="none of pairs"):
        pair_spec({"pair": [None]})


def test_equal_texts_have_equal_numbers() -> None:
    assert text_id("one ") == text_id("one") != text_id("two")
    assert -(2**63) <= text_id("a\ud800") < 2**63


def write(path: Path, lines: list[str]) -> str:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def started(folder: Path, *, train: list[str], test: list[str], **task: Any) -> mg.Run:
    recipe = {
        "task": {"name": "sentence-similarity", **task},
        "backbone": {"name": "bert-tiny", "weights": "scratch"},
        "data": {
            "train": write(folder / "train.csv", train),
            "test": write(folder / "test.csv", test),
            "leakage": {"allowed": 1},
            "split": {"validation": 0},
        },
        "training": {"epochs": 1, "batch_size": 4},
        "output": str(folder / "run"),
    }
    return mg.Engine([text], discover=False).start(recipe, "finetune")


SCORED = ["text,text_pair,score", *(f"words {n},other {n},{n % 6}" for n in range(8))]
PAIRED = ["text,text_pair", *(f"words {n},other {n}" for n in range(8))]


def test_held_out_rows_of_another_form_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="beside the text stands positive; the training rows are s"):
        started(tmp_path, train=SCORED, test=PAIRED, score_scale=5)


def test_scores_beyond_a_cosine_ask_for_a_scale(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the score . is no cosine.*score_scale: 5"):
        started(tmp_path, train=SCORED, test=SCORED)


def test_a_table_without_pairs_is_refused(tmp_path: Path) -> None:
    lonely = ["text", *(f"words {n}" for n in range(8))]
    with pytest.raises(DataError, match="beside the text stands nothing"):
        started(tmp_path, train=lonely, test=lonely)
