"""Transcripts: how they are normalised, and vocabularies learned, read and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from multigraft.errors import MultigraftError, RowError
from multigraft.runtime.answers.text_scores.normalization import normalised
from multigraft_speech.recognition.transcript_rows import transcript_rows
from multigraft_speech.recognition.vocabulary import (
    read_vocabulary,
    token_names,
    vocabulary_spec,
)

RULES: dict[str, Any] = {
    "case": "lower",
    "punctuation": "drop",
    "vocabulary": None,
    "language_model": None,
    "language_weight": 0.5,
    "word_bonus": 1.0,
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("It’s 5 o'clock, 'really'!", "it's 5 o'clock really"),
        ("well-known\tU.S.\n", "well known u s"),
        ("Cafe\u0301 हिन्दी 日本", "café हिन्दी 日本"),
        ("a|b", "a b"),
    ],
)
def test_normalisation_keeps_letters_digits_and_marks(text: str, wanted: str) -> None:
    assert normalised(text, case="lower", punctuation="drop") == wanted
    assert normalised(wanted, case="lower", punctuation="drop") == wanted, "once is enough"


def test_rows_in_which_nothing_is_said_are_refused() -> None:
    for text, why in (("  ", "is empty"), ("?!", "normalisation keeps nothing"), (3, "text is")):
        with pytest.raises(RowError, match=why) as caught:
            transcript_rows({"audio": "a.wav", "text": text}, RULES)
        assert caught.value.column == "text"
    with pytest.raises(RowError, match="columns maps names"):
        transcript_rows({"audio": "a.wav", "sentence": "a"}, RULES)


def test_a_vocabulary_is_every_character_of_training() -> None:
    found = vocabulary_spec({"text": ["ba", None, "a c"]}, RULES)
    assert found == {
        "vocabulary": ["", " ", "a", "b", "c"],
        "blank": 0,
        "normalization": {"case": "lower", "punctuation": "drop"},
    }


def test_a_published_vocabulary_is_read_and_written_as_it_was(tmp_path: Path) -> None:
    listed = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "E": 5, "'": 6}
    (tmp_path / "vocab.json").write_text(json.dumps(listed), encoding="utf-8")
    found = vocabulary_spec({"text": []}, {**RULES, "vocabulary": str(tmp_path)})
    assert found["vocabulary"] == ["", "", "", "", " ", "E", "'"]
    assert found["blank"] == 0
    names = token_names(found["vocabulary"], found["blank"])
    assert names == ["<pad>", "<unused-2>", "<unused-1>", "<unk>", "|", "E", "'"]
    (tmp_path / "again.json").write_text(json.dumps({n: i for i, n in enumerate(names)}))
    assert read_vocabulary(tmp_path / "again.json")["vocabulary"] == found["vocabulary"]


def test_a_language_model_lies_in_the_targets(tmp_path: Path) -> None:
    file = tmp_path / "words.arpa"
    asked = {**RULES, "language_model": str(file)}
    with pytest.raises(MultigraftError, match=r"task.language_model: .* cannot be read"):
        vocabulary_spec({"text": ["a"]}, asked)
    file.write_text("\\1-grams:\n-1 a 0 0\n", encoding="utf-8")
    with pytest.raises(MultigraftError, match=r"line 2, .*, is no 1-gram"):
        vocabulary_spec({"text": ["a"]}, asked)
    file.write_text("\\1-grams:\n-1 a\n", encoding="utf-8")
    found = vocabulary_spec({"text": ["a"]}, asked)["language_model"]
    assert found == {"arpa": file.read_text(encoding="utf-8"), "weight": 0.5, "bonus": 1.0}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[", "cannot be read"),
        ('["a"]', "no object of tokens"),
        ('{"<pad>": 0, "a": 2}', "its number from 0 on"),
        ('{"a": 0}', "has no blank"),
        ('{"<pad>": 0, "ab": 1}', "one character each"),
    ],
)
def test_what_is_no_vocabulary_is_refused(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "vocab.json").write_text(content, encoding="utf-8")
    with pytest.raises(MultigraftError, match=why):
        read_vocabulary(tmp_path)
