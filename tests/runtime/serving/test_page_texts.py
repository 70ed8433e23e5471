"""What the page makes of answers about texts: a passage's answer, texts in an order, what was
written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from helpers.page_elements import page, words


def marks(element: Any) -> list[str]:
    if isinstance(element, str):
        return []
    kids = element if isinstance(element, list) else element["kids"]
    own = [words(element)] if isinstance(element, dict) and element["tag"] == "mark" else []
    return own + [found for kid in kids for found in marks(kid)]


ANSWERED = "(page, [passage, answer]) => page.answered(passage, answer)"


def test_an_answer_is_marked_in_its_passage() -> None:
    passage = "\U0001f600 It lies in New York."
    start = passage.index("New York")
    answer = {"text": "New York", "start": start, "end": start + 8, "score": 0.9}
    best, marked = page("passage", ANSWERED, [passage, answer])
    assert words(best) == "New York"
    assert words(marked) == passage.replace("New York", "New York\u00a0answer")
    assert marks(marked) == ["New York\u00a0answer"]


def test_a_passage_without_an_answer_is_shown_with_what_was_likeliest() -> None:
    none = {"text": None, "start": None, "end": None, "score": 0.1, "best": {"text": "Rome"}}
    shown = page("passage", ANSWERED, ["in Rome", none])
    assert marks(shown) == []
    assert words(shown) == "No answer in this passagein RomeThe likeliest piece would be “Rome”."


def test_texts_are_ranked_by_cosine_and_what_cannot_be_read_comes_last() -> None:
    rng = np.random.default_rng(0)
    vectors = {name: rng.standard_normal(5) for name in ("query", "a", "b", "c")}
    call = """(page, held) => page.ranked({ text: "query", others: ["a", "bad", "b", "c"] },
      async (values) => ({ time: "", answers: values.map(({ text }) => held[text]) }))"""
    given = {name: {"embedding": vector.tolist()} for name, vector in vectors.items()}
    found = page("ranking", call, {**given, "bad": {"error": "is empty"}})["answer"]["ranking"]
    cosines = {
        name: float(vectors[name] @ vectors["query"])
        / float(np.linalg.norm(vectors[name]) * np.linalg.norm(vectors["query"]))
        for name in "abc"
    }
    wanted = sorted(cosines, key=lambda name: -cosines[name])
    assert [row["text"] for row in found] == [*wanted, "bad"]
    assert [row["score"] for row in found[:3]] == pytest.approx([cosines[n] for n in wanted])
    shown = page("ranking", "(page, rows) => page.rankingList(rows)", found)
    assert words(shown["kids"][-1]) == "?bad (is empty)"


@pytest.mark.parametrize(
    ("answers", "says"), [("summary", "SourcelongSummaryshort"), (None, "longshort")]
)
def test_what_is_written_stands_beside_its_source_or_behind_its_prompt(
    answers: str | None, says: str
) -> None:
    call = '(page, answers) => page.written({ answers }, "long", "short")'
    assert words(page("writing", call, answers)) == says


def test_a_text_about_the_beginning_of_its_source_says_so() -> None:
    answer = {"tokens": [4, 2], "ended": "stop"}
    assert page("writing", "(page, answer) => page.ending(answer)", answer) == (
        "2 tokens, ended by itself"
    )
    cut = {**answer, "cut": {"has": 90, "takes": 64}}
    assert page("writing", "(page, answer) => page.ending(answer)", cut) == (
        "2 tokens, ended by itself; the first 64 of the source’s 90 tokens were read"
    )
