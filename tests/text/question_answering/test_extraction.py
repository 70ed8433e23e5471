"""Targets of spans on tokens, in rows and in the windows that training learns from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from helpers.extracting import QUESTION, engine_passage, objective
from multigraft_text.question_answering.extraction import QuestionAnswering
from multigraft_text.reader import TextReader

PASSAGE = engine_passage(30)


def row(*answers: str) -> dict[str, Any]:
    found = [{"text": each, "start": PASSAGE.index(each)} for each in answers]
    return {"text": QUESTION, "text_pair": PASSAGE, "answers": found}


def target(made: QuestionAnswering, reader: TextReader, of: dict[str, Any]) -> str | None:
    """What the target's tokens are of, in the row's passage."""
    arrays = reader.read((of["text"], of["text_pair"]))
    first, last = made.encode(of, arrays)["span"].tolist()
    if first < 0:
        assert last < 0
        return None
    places = arrays["places"]
    passage: str = of["text_pair"]
    return passage[places[first, 0] : places[last, 1]]


def test_a_target_is_the_tokens_of_the_first_answer_that_the_row_holds() -> None:
    made, reader = objective(length=400)
    assert target(made, reader, row("ran 7 times", "Ada")) == "ran 7 times"
    assert target(made, reader, row()) is None
    short, reader = objective(length=40)
    assert target(short, reader, row("ran 20 times")) is None
    assert target(short, reader, row("ran 20 times", "1800 the")) == "1800 the"


def test_an_answer_that_the_row_cuts_is_none() -> None:
    made, reader = objective(length=40)
    places = reader.read((QUESTION, PASSAGE))["places"]
    end = int(places[:, 1].max())
    assert target(made, reader, {**row(), "answers": [{"text": PASSAGE[:end], "start": 0}]})
    longer = {"text": PASSAGE[: end + 8], "start": 0}
    assert target(made, reader, {**row(), "answers": [longer]}) is None


def test_training_learns_from_windows_and_each_answer_is_in_one() -> None:
    made, reader = objective(length=40)
    asked = row("ran 20 times")
    parts = made.parts(asked)
    windows = reader.windows((QUESTION, PASSAGE))
    assert len(parts) == len(windows) > 5
    for part, window in zip(parts, windows, strict=True):
        again = reader.read((part["text"], part["text_pair"]))
        np.testing.assert_array_equal(again["input_ids"], window["input_ids"])
        assert part["text_pair"] in PASSAGE
    found = [target(made, reader, dict(part)) for part in parts]
    assert {*found} == {None, "ran 20 times"}
    held = [part for part in parts if "ran 20 times" in part["text_pair"]]
    assert len(held) == sum(each is not None for each in found)
    assert (
        made.parts({**asked, "text_pair": "Ada ran.", "answers": []})[0]["text_pair"] == "Ada ran."
    )


def test_the_loss_is_the_cross_entropy_of_both_ends_among_the_passage_and_none() -> None:
    made, _ = objective()
    places = torch.tensor([[[0, 0, -1], [0, 3, 0], [4, 7, 1], [0, 0, -1]]] * 2)
    spans, null = torch.randn(2, 4, 2), torch.randn(2, 2)
    batch = {"places": places, "span": torch.tensor([[1, 2], [-1, -1]])}
    found = made.loss({"span_logits": spans, "null_logits": null}, batch)
    for place, wanted in enumerate(([1, 2], [0, 0])):
        ends = [
            torch.stack([null[place, side], spans[place, 1, side], spans[place, 2, side]])
            .log_softmax(0)[wanted[side]]
            .item()
            for side in (0, 1)
        ]
        np.testing.assert_allclose(found.total[place].item(), -sum(ends) / 2, rtol=1e-5)
    assert found.weight.tolist() == [1, 1]


def test_a_threshold_is_settled_where_rows_without_an_answer_validate() -> None:
    made, _ = objective()
    rows = np.array([[0.9, 1, 1, 1], [0.7, 0, 0, 0.0]])
    assert made.settle({"answers": rows}) == {"threshold": 0.8}
    assert made.settle({"answers": rows[:1]}) == {}
    assert made.settle({}) == {}
