"""Places of tokens: which characters of the raw text each is of, in rows and in windows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from multigraft.contracts.readers import collate
from multigraft_text.learning import fit
from multigraft_text.reader import TextReader

TEXTS = [
    "Ada Lovelace, of London, wrote notes on the engine in 1843.",
    "  Zürich liegt  am See;\n\nund Genf auch \u2014 nicht wahr? ",
    "cafe\u0301 au lait, 日本 and \U0001f600 smiles",
    "x",
]


def reader(tokenizer: str, *, places: bool = True, length: int = 64) -> TextReader:
    style = "bert" if tokenizer == "wordpiece" else "gpt"
    learn = {"style": style, "tokenizer": tokenizer, "vocabulary": 400, "lowercase": True}
    spec: dict[str, Any] = {"kind": "text", "max_length": length, "tokenizer.json": None}
    spec |= {"token_types": style == "bert", "learn": learn}
    return TextReader(fit(TEXTS * 5, {**spec, "places": True} if places else spec))


@pytest.mark.parametrize("tokenizer", ["wordpiece", "bpe", "unigram", "character"])
@pytest.mark.parametrize("text", TEXTS)
def test_tokens_lie_where_they_say(tokenizer: str, text: str) -> None:
    """Together they are of every letter, none is of a space, and the others are of no word."""
    row = reader(tokenizer).read(text)
    places = row["places"]
    assert places.shape == (len(row["input_ids"]), 3)
    real = places[places[:, 2] >= 0]
    pieces = [text[first:after] for first, after, _ in real.tolist()]
    assert all(piece and piece == piece.strip() for piece in pieces)
    covered = np.zeros(len(text), bool)
    for first, after, _ in real.tolist():
        covered[first:after] = True
    assert all(sign.isspace() or covered[place] for place, sign in enumerate(text))
    assert (np.diff(real[:, 0]) >= 0).all() and (np.diff(real[:, 2]) >= 0).all()
    assert (row["start"], row["rest"]) == (0, 0)


def test_an_accent_belongs_to_its_letter() -> None:
    places = reader("wordpiece").read(TEXTS[2])["places"]
    assert max(after for first, after, _ in places.tolist() if first < 5) == 5


def test_rows_that_were_not_asked_for_places_have_none() -> None:
    plain, placed = reader("wordpiece", places=False), reader("wordpiece")
    one, other = plain.read(TEXTS[0]), placed.read(TEXTS[0])
    assert one.keys() == {"input_ids", "attention_mask", "token_type_ids"}
    assert other.keys() - one.keys() == {"places", "start", "rest"}
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
    assert "places" not in plain.fills


def test_windows_say_what_lies_before_and_behind_them() -> None:
    text = " ".join(f"{number} {TEXTS[0]}" for number in range(20))
    cut = reader("wordpiece", length=32)
    whole: Any = Tokenizer.from_str(cut._tokenizer.to_str())
    whole.no_truncation()
    encoding = whole.encode(text)
    offsets = encoding.offsets[1:-1]
    windows = cut.windows(text)
    assert len(windows) > 10
    for row in windows:
        own = [tuple(place) for place in row["places"][1:-1, :2].tolist()]
        start = int(row["start"])
        assert own == offsets[start : start + len(own)]
        assert start + len(own) + row["rest"] == len(offsets)
        assert row["places"][[0, -1], 2].tolist() == [-1, -1]
    first = cut.read(text)
    np.testing.assert_array_equal(first["places"], windows[0]["places"])
    assert first["rest"] == windows[0]["rest"]


def test_a_pair_counts_in_each_of_its_texts() -> None:
    cut = reader("wordpiece", length=16)
    row = cut.read((TEXTS[0], TEXTS[1]))
    second = row["token_type_ids"] == 1
    first = int(row["places"][second][0, 0])
    assert TEXTS[1][first] == "Z"
    whole = reader("wordpiece", length=512).read((TEXTS[0], TEXTS[1]))
    assert row["rest"] == len(whole["input_ids"]) - 16


def test_rows_are_stacked_with_their_places() -> None:
    of = reader("wordpiece")
    batch = collate([of.read(TEXTS[0]), of.read(TEXTS[3])], of.fills)
    assert batch["places"].shape == (*batch["input_ids"].shape, 3)
    assert (batch["places"][1, 3:] == -1).all()
    assert batch["rest"].tolist() == [0, 0]
