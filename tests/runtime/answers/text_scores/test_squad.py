"""Exact match and F1 beside torchmetrics', and what SQuAD 2.0 says of no answer."""

from __future__ import annotations

import pytest
from torchmetrics.functional.text import squad

from helpers.generated_texts import corpora
from multigraft.runtime.answers.text_scores.squad import squad_scores, squad_words


@pytest.mark.parametrize("references", [1, 3])
def test_scores_are_squads(references: int) -> None:
    """Where every reference has words: torchmetrics has the rules of SQuAD 1.1."""
    found = []
    for said, expected in corpora(500, references):
        rows = [(a, b) for a, b in zip(said, expected, strict=True) if all(map(squad_words, b))]
        if not rows:
            continue
        told = [{"prediction_text": answer, "id": str(row)} for row, (answer, _) in enumerate(rows)]
        true = [
            {"answers": {"answer_start": [0] * len(texts), "text": texts}, "id": str(row)}
            for row, (_, texts) in enumerate(rows)
        ]
        oracle = squad(told, true)
        ours = [squad_scores(answer, *texts) for answer, texts in rows]
        for place, name in enumerate(("exact_match", "f1")):
            mean = 100 * sum(each[place] for each in ours) / len(ours)
            assert mean == pytest.approx(float(oracle[name]), abs=1e-4), rows  # they count in fp32
        found += ours
    exact, f1 = zip(*found, strict=True)
    assert set(exact) == {0.0, 1.0}
    assert any(0 < each < 1 for each in f1)


@pytest.mark.parametrize(
    ("answer", "references", "scores"),
    [
        ("", (), (1, 1)),
        ("Rome", (), (0, 0)),
        ("the", ("a",), (1, 1)),
        ("The Rome!", ("rome", "in Rome"), (1, 1)),
        ("in Rome", ("...", "Rome"), (0, 2 / 3)),
        ("", ("Rome",), (0, 0)),
    ],
)
def test_nothing_to_be_said(answer: str, references: tuple[str, ...], scores: tuple) -> None:
    assert squad_scores(answer, *references) == pytest.approx(scores)
