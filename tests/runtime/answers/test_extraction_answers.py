"""Pieces of a passage as answers: the likeliest of all windows, no answer, and their scores."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from multigraft.contracts.answers import Window
from multigraft.errors import BundleError
from multigraft.runtime.answers.extraction import (
    Extraction,
    best_span,
    null_threshold,
    squad_metrics,
)

PASSAGE = "Grace Hopper was born in New York in 1906"
RAW = ("Where?", PASSAGE)
ASKED = {"threshold": None}
TARGETS = {"longest": 12, "unanswerable": True}


def words(text: str) -> list[tuple[int, int, int]]:
    starts = itertools.accumulate((len(word) + 1 for word in text.split(" ")), initial=0)
    return [
        (start, start + len(word), number)
        for number, (start, word) in enumerate(zip(starts, text.split(" "), strict=False))
    ]


def window(
    begins: dict[int, float], ends: dict[int, float], null: float = 0.0, **row: Any
) -> Window:
    """A question's token, the passage's words with these logits, and a token behind it."""
    places = np.array([(0, 0, -1), *words(PASSAGE), (0, 0, -1)])
    logits = np.full((len(places) + 2, 2), -5.0, dtype=np.float32)
    logits[[0, -1]] = 99  # of the question and of padding, which nobody reads
    for side, given in enumerate((begins, ends)):
        for word, value in given.items():
            logits[1 + word, side] = value
    outputs = {"span_logits": logits, "null_logits": np.full(2, null, dtype=np.float32)}
    return Window({"places": places, **row}, outputs, len(places))


def test_the_likeliest_piece_is_told_in_the_raw_passage() -> None:
    found = Extraction(TARGETS).answer(RAW, [window({5: 2.0}, {6: 1.0})], ASKED)
    assert found == {"text": "New York", "start": 25, "end": 33, "score": pytest.approx(0.952574)}
    assert PASSAGE[25:33] == "New York"
    as_bytes = Extraction(TARGETS).answer(
        (b"", PASSAGE.encode()), [window({5: 2.0}, {6: 1.0})], ASKED
    )
    assert as_bytes == found


def test_of_windows_the_one_that_is_surest_beside_no_answer_is_believed() -> None:
    first = window({0: 9.0}, {1: 9.0}, null=9.0)
    second = window({5: 2.0}, {6: 1.0}, null=-1.0)
    found = Extraction(TARGETS).answer(RAW, [first, second], ASKED)
    assert found["text"] == "New York"
    assert found["score"] == pytest.approx(1 / (1 + np.exp(-5)))


def test_below_the_threshold_there_is_no_answer() -> None:
    unsure = [window({5: 1.0}, {6: 0.0}, null=1.0)]
    best = {"text": "New York", "start": 25, "end": 33}
    none = {"text": None, "start": None, "end": None, "score": pytest.approx(1 / (1 + np.e))}
    assert Extraction(TARGETS).answer(RAW, unsure, ASKED) == {**none, "best": best}
    settled = Extraction({**TARGETS, "threshold": 0.2})
    assert settled.answer(RAW, unsure, ASKED)["text"] == "New York"
    assert settled.answer(RAW, unsure, {"threshold": 0.3})["text"] is None
    always = Extraction({"longest": 12, "unanswerable": False})
    assert always.answer(RAW, [window({5: 1.0}, {6: 0.0}, null=900.0)], ASKED)["score"] == 0


@pytest.mark.parametrize("seed", range(30))
def test_the_best_piece_is_the_best_of_all_that_fit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    given = window({}, {})
    given.outputs["span_logits"][1:-3] = rng.normal(size=(9, 2))
    longest = int(rng.integers(1, 45))
    pieces = {
        (one, other): float(
            given.outputs["span_logits"][1 + one, 0].astype(float)
            + given.outputs["span_logits"][1 + other, 1].astype(float)
        )
        for one, other in itertools.product(range(9), repeat=2)
        if one == other
        or (one < other and words(PASSAGE)[other][1] - words(PASSAGE)[one][0] <= longest)
    }
    one, other = max(pieces, key=lambda piece: pieces[piece])
    found = best_span(given, longest)
    assert found is not None
    assert (found.start, found.end) == (words(PASSAGE)[one][0], words(PASSAGE)[other][1])
    assert found.odds == pytest.approx(pieces[one, other])


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({"span_logits": np.zeros((3, 2)), "null_logits": np.zeros(2)}, "for 11 tokens"),
        ({"span_logits": np.zeros((11, 3)), "null_logits": np.zeros(2)}, "are needed"),
        ({"span_logits": np.zeros((11, 2)), "null_logits": np.zeros(1)}, "are needed"),
        ({"span_logits": np.full((11, 2), np.nan), "null_logits": np.zeros(2)}, "no numbers"),
    ],
)
def test_outputs_that_are_not_the_tokens_are_refused(outputs: Any, said: str) -> None:
    broken = Window(window({}, {}).row, outputs, 11)
    with pytest.raises(BundleError, match=said):
        Extraction(TARGETS).answer(RAW, [broken], ASKED)


def test_a_window_without_a_token_of_the_passage_is_left_out() -> None:
    nothing = Window(
        {"places": np.array([(0, 0, -1)])},
        {"span_logits": np.zeros((1, 2)), "null_logits": np.zeros(2)},
    )
    found = Extraction(TARGETS).answer(RAW, [nothing, window({5: 2.0}, {6: 1.0})], ASKED)
    assert found["text"] == "New York"
    with pytest.raises(BundleError, match="no window has a token"):
        Extraction(TARGETS).answer(RAW, [nothing], ASKED)


@pytest.mark.parametrize("seed", range(20))
def test_the_settled_threshold_is_the_best_there_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    there = rng.random(40) < 0.6
    sure = np.round(rng.random(40), 1)
    rows = np.stack([sure, there * (rng.random(40) < 0.5), there * rng.random(40), there], axis=1)
    found = null_threshold(rows)
    tried = [squad_metrics(rows, each, apart=True)["f1"] for each in np.linspace(0, 1, 1001)]
    assert squad_metrics(rows, found, apart=True)["f1"] == pytest.approx(max(tried))


def test_metrics_of_rows_with_and_without_an_answer() -> None:
    answers = Extraction({**TARGETS, "threshold": 0.5})
    rows = [
        ({"text": "New York", "score": 0.9}, ["New York", "the city of New York"]),
        ({"text": "York", "score": 0.8}, ["New York"]),
        ({"text": None, "score": 0.4, "best": {"text": "New York"}}, ["New York"]),
        ({"text": None, "score": 0.1, "best": {"text": "Rome"}}, []),
        ({"text": "Rome", "score": 0.7}, []),
    ]
    scores = [
        answers.score(answer, {"answers": [{"text": text, "start": 0} for text in texts]})
        for answer, texts in rows
    ]
    kept = {"answers": np.stack([each["answers"] for each in scores])}
    assert answers.summarise(kept) == pytest.approx(
        {
            "exact_match": 2 / 5,
            "f1": (1 + 2 / 3 + 0 + 1 + 0) / 5,
            "exact_match_answerable": 1 / 3,
            "f1_answerable": (1 + 2 / 3) / 3,
            "no_answer_accuracy": 1 / 2,
        }
    )
    before = Extraction(TARGETS).summarise(kept)
    assert before["f1"] == pytest.approx((1 + 2 / 3 + 0 + 2) / 5), "as 0.75 settles it"
    plain = Extraction({"longest": 12, "unanswerable": False}).summarise(
        {"answers": kept["answers"][:3]}
    )
    assert plain == pytest.approx({"exact_match": 2 / 3, "f1": (1 + 2 / 3 + 1) / 3})


def test_a_row_is_right_by_what_is_told_at_the_threshold() -> None:
    """Exactly, partly, not told though there is one; told though there is none, rightly not."""
    rows = np.array(
        [[0.9, 1, 1, 1], [0.9, 0, 0.5, 1], [0.1, 1, 1, 1], [0.9, 1, 1, 0], [0.1, 0, 0, 0]]
    )
    answers = Extraction({"longest": 20, "unanswerable": True, "threshold": 0.5})
    assert answers.right({"answers": rows}).tolist() == [True, False, False, False, True]
    always = Extraction({"longest": 20})
    assert always.right({"answers": rows[:3]}).tolist() == [True, False, True]
