"""Questions with their passages: the passage alone is cut, and read in windows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from multigraft import RowError
from multigraft_text.learning import fit
from multigraft_text.reader import TextReader

PASSAGE = " ".join(
    f"In {1800 + year} the engine  of Zürich ran {year % 7} times, said Ada." for year in range(40)
)
QUESTION = "How often did the engine run?"


def reader(tokenizer: str = "wordpiece", *, length: int = 48) -> TextReader:
    style = "bert" if tokenizer == "wordpiece" else "gpt"
    learn = {"style": style, "tokenizer": tokenizer, "vocabulary": 400, "lowercase": True}
    spec: dict[str, Any] = {"kind": "text", "max_length": length, "tokenizer.json": None}
    spec |= {"token_types": style == "bert", "learn": learn, "passage": True}
    return TextReader(fit([(QUESTION, PASSAGE)] * 5, spec))


def own(made: TextReader) -> Tokenizer:
    return Tokenizer.from_str(json.dumps(made.spec()["tokenizer.json"]))


@pytest.mark.parametrize("tokenizer", ["wordpiece", "bpe"])
@pytest.mark.parametrize("length", [32, 48, 100])
def test_windows_are_those_of_the_tokenizers_library(tokenizer: str, length: int) -> None:
    made = reader(tokenizer, length=length)
    oracle = own(made)
    frame = oracle.num_special_tokens_to_add(is_pair=True)
    oracle.enable_truncation(length, stride=(length - frame) // 4, strategy="only_second")
    first = oracle.encode(QUESTION, PASSAGE)
    windows = made.windows((QUESTION, PASSAGE))
    wanted = [first, *first.overflowing]
    assert len(wanted) > 5
    assert [row["input_ids"].tolist() for row in windows] == [each.ids for each in wanted]
    for row, each in zip(windows, wanted, strict=True):
        assert row["attention_mask"].tolist() == [1] * len(each.ids)
        if tokenizer == "wordpiece":
            assert row["token_type_ids"].tolist() == each.type_ids
    assert max(made.length(row) for row in windows) == length


@pytest.mark.parametrize("tokenizer", ["wordpiece", "bpe", "unigram", "character"])
def test_places_are_the_passages_alone(tokenizer: str) -> None:
    made = reader(tokenizer, length=200)
    covered = np.zeros(len(PASSAGE), bool)
    windows = made.windows((QUESTION, PASSAGE))
    for row in windows:
        real = row["places"][row["places"][:, 2] >= 0]
        assert 0 < len(real) < len(row["input_ids"]), "the question's tokens have none"
        for first, after, _ in real.tolist():
            assert PASSAGE[first:after].strip() == PASSAGE[first:after] != ""
            covered[first:after] = True
    assert all(sign.isspace() or covered[place] for place, sign in enumerate(PASSAGE))
    assert windows[0]["start"] == windows[-1]["rest"] == 0
    sizes = {int(row["start"]) + len(row["input_ids"]) + int(row["rest"]) for row in windows}
    assert len(sizes) == 1, "what is before, in and behind a row is always the whole"


def test_a_row_is_the_first_window() -> None:
    made = reader()
    for passage in (PASSAGE, "Ada said so."):
        row, windows = made.read((QUESTION, passage)), made.windows((QUESTION, passage))
        assert (len(windows) > 1) is (passage == PASSAGE)
        assert row.keys() == windows[0].keys()
        for name, array in row.items():
            np.testing.assert_array_equal(array, windows[0][name])


def test_the_spec_brings_it_back() -> None:
    made = reader()
    again = TextReader(made.spec()).read((QUESTION, PASSAGE))
    np.testing.assert_array_equal(again["places"], made.read((QUESTION, PASSAGE))["places"])


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("alone", "a question and its passage are needed"),
        (("alone",), "a question and its passage are needed"),
        (("", "x"), "the text is empty"),
        ((QUESTION, " "), "the text is empty"),
        ((QUESTION * 9, PASSAGE), "at most half of them may be the question's"),
        ((QUESTION, "\u200b"), "no token in the passage"),
        ((QUESTION, PASSAGE, "x"), "found 3 texts"),
        ((QUESTION, None), "the text is missing"),
    ],
)
def test_what_is_no_question_of_a_passage_is_refused(raw: Any, said: str) -> None:
    made = reader()
    for read in (made.read, made.windows):
        with pytest.raises(RowError, match=said):
            read(raw)


def test_any_length_that_a_pair_has_room_in() -> None:
    shortest = own(reader()).num_special_tokens_to_add(is_pair=True) + 2
    for length in range(max(8, shortest), 20):
        windows = reader(length=length).windows(("engine", "said Ada in the engine of Ada"))
        assert max(len(row["input_ids"]) for row in windows) <= length
        assert windows[-1]["rest"] == 0


@pytest.mark.parametrize("empty", ["", "  ", None, 3])
def test_an_empty_question_and_an_empty_passage_are_told_apart(empty: Any) -> None:
    made = reader()
    for read in (made.read, made.windows):
        with pytest.raises(RowError, match=r"the question: (the text is|found int)"):
            read((empty, PASSAGE))
        with pytest.raises(RowError, match=r"the passage: (the text is|found int)"):
            read((QUESTION, empty))
