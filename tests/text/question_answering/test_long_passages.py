"""Answers in a passage of 20,000 characters: none is lost at a seam of two windows, none told
elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from helpers.extracting import QUESTION, engine_passage, objective
from multigraft.contracts.answers import Window
from multigraft.contracts.types import Arrays
from multigraft.runtime.answers.extraction import Extraction

PASSAGE = engine_passage(500)[:20_000]
MADE, READER = objective(length=64)
WINDOWS = READER.windows((QUESTION, PASSAGE))
SHARED = (64 - 3) // 4
"""The tokens that two windows share: an answer of as many is whole in one of them."""


def tokens() -> np.ndarray:
    """The places [N, 2] of all tokens of the passage, each once."""
    every = np.concatenate([row["places"][row["places"][:, 2] >= 0] for row in WINDOWS])
    return np.unique(every[:, :2], axis=0)


TOKENS = tokens()
ENDS = [int(row["places"][row["places"][:, 2] >= 0][-1, 1]) for row in WINDOWS[:-1]]
"""The characters at which a window ends that is not the last."""


def planted(end: int, before: int) -> dict[str, Any]:
    """The answer of as many tokens as windows share, of which so many are before a seam."""
    first = int(np.searchsorted(TOKENS[:, 1], end)) + 1 - before
    start, stop = int(TOKENS[first, 0]), int(TOKENS[first + SHARED - 1, 1])
    return {"text": PASSAGE[start:stop], "start": start}


def spans(answer: Mapping[str, Any]) -> list[list[int]]:
    """The target of the answer in every window."""
    row = {"text": QUESTION, "text_pair": PASSAGE, "answers": [answer]}
    return [MADE.encode(row, window)["span"].tolist() for window in WINDOWS]


def oracle(row: Arrays, span: list[int]) -> Window:
    """A window as a model would give it that never errs."""
    logits, null = np.zeros((len(row["input_ids"]), 2)), np.full(2, 5.0)
    if span[0] >= 0:
        logits[span, [0, 1]], null = 9.0, np.zeros(2)
    return Window(row, {"span_logits": logits, "null_logits": null}, len(logits))


def test_the_passage_is_cut_where_this_takes_it_to_be() -> None:
    assert len(PASSAGE) == 20_000
    assert len(WINDOWS) > 100
    assert len(ENDS) == len(set(ENDS))
    covered = np.zeros(len(PASSAGE), bool)
    for start, stop in TOKENS:
        covered[start:stop] = True
    assert covered[[not sign.isspace() for sign in PASSAGE]].all()


@pytest.mark.parametrize("before", range(SHARED + 1))
def test_an_answer_over_a_seam_is_whole_in_one_window_or_two(before: int) -> None:
    """1,000 and more are planted, at every seam and at every token of it."""
    for end in ENDS[:-1]:
        assert 1 <= sum(span[0] >= 0 for span in spans(planted(end, before))) <= 2


def test_an_answer_over_a_seam_is_told_once_and_where_it_stands() -> None:
    answers = Extraction({"longest": 200, "unanswerable": True})
    for number, end in enumerate(ENDS[:-1:3]):
        answer = planted(end, number % (SHARED + 1))
        windows = [oracle(*each) for each in zip(WINDOWS, spans(answer), strict=True)]
        found = answers.answer((QUESTION, PASSAGE), windows, {"threshold": None})
        assert (found["text"], found["start"]) == (answer["text"], answer["start"])
        assert found["end"] == answer["start"] + len(answer["text"])


def test_an_answer_over_a_seam_is_learned_from() -> None:
    for number, end in enumerate(ENDS[:-1:7]):
        answer = planted(end, number % (SHARED + 1))
        row = {"text": QUESTION, "text_pair": PASSAGE, "answers": [answer]}
        parts = MADE.parts(row)
        held = [part for part in parts if part["answers"]]
        assert len(parts) == len(WINDOWS)
        assert 1 <= len(held) <= 2
        for part in held:
            first, last = MADE.encode(part, READER.read((QUESTION, part["text_pair"])))["span"]
            assert 0 <= first <= last
