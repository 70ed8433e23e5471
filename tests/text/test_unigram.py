"""A Unigram tokenizer is learned of the texts alone."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from multigraft_text.learning import SPECIAL, fit
from multigraft_text.masked_spans import word_beginnings
from multigraft_text.reader import TextReader
from multigraft_text.token_ids import token_ids

PAGE = Path(__file__).parents[2] / "docs" / "quickstart.md"
TEXTS = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.strip()]


def learned(texts: list[str], size: int, style: str = "bert", *, lowercase: bool = False) -> Any:
    learn = {
        "style": style, "tokenizer": "unigram", "vocabulary": size, "lowercase": lowercase
    }  # fmt: skip
    spec = {"max_length": 500, "token_types": False, "tokenizer.json": None, "learn": learn}
    return fit(texts, spec)


@pytest.mark.parametrize("style", sorted(SPECIAL))
def test_it_has_the_size_that_is_asked_for_and_reads_what_it_saw(style: str) -> None:
    spec = learned(TEXTS, 300, style)
    ids = token_ids(spec)
    sentinels = 100 if style == "t5" else 0
    assert len(ids) - sentinels == 300 and sorted(ids.values()) == list(range(len(ids)))
    reader = TextReader(spec)
    unknown = ids[SPECIAL[style]["unk_token"]]
    for text in TEXTS:
        tokens = reader.read(f"  {text.replace(' ', '   ')}\n")["input_ids"].tolist()
        if style != "clip":  # whose end of a text is its unknown token too
            assert unknown not in tokens
        assert reader.text(tokens) == " ".join(text.split()), "spaces aside, nothing is lost"


def test_scores_are_the_logs_of_the_pieces_shares() -> None:
    spec = learned(TEXTS, 300)
    scores = dict(spec["tokenizer.json"]["model"]["vocab"])
    names = SPECIAL["bert"].values()
    shares = [math.exp(score) for piece, score in scores.items() if piece not in names]
    assert 1 <= sum(shares) < 1.05, "one, and what pieces are given that were never taken"
    assert sorted(shares, reverse=True) == shares


def test_its_pieces_are_those_of_the_trainer_and_cut_as_well() -> None:
    spec = learned(TEXTS, 300)
    theirs = Tokenizer(models.Unigram())
    theirs.pre_tokenizer = pre_tokenizers.Metaspace()
    names = [*dict.fromkeys(SPECIAL["bert"].values())]
    trainer = trainers.UnigramTrainer(
        vocab_size=300, special_tokens=names, unk_token="[UNK]", show_progress=False
    )
    theirs.train_from_iterator([" ".join(text.split()) for text in TEXTS], trainer)
    assert theirs.get_vocab().keys() == token_ids(spec).keys()
    ours = TextReader(spec)
    count = sum(len(ours.read(text)["input_ids"]) - 2 for text in TEXTS)
    assert count <= 1.02 * sum(len(each.ids) for each in theirs.encode_batch(TEXTS))


def test_it_is_the_same_in_every_process() -> None:
    script = """
import sys
from tokenizers import normalizers
from multigraft_text.unigram import train_unigram
made = train_unigram(
    sys.stdin.read().splitlines(), 300, normalizer=normalizers.NFC(), names=["<u>"], unknown="<u>"
)
print(made.to_str())
"""
    found = [
        subprocess.run(
            [sys.executable, "-c", script], input="\n".join(TEXTS), capture_output=True, text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]  # fmt: skip
    assert found[0] == found[1] and "vocab" in found[0]


def test_rare_letters_are_unknown_where_the_vocabulary_is_small() -> None:
    spec = learned(["abcdefgh hgfedcba abgh"] * 9 + ["z"], 16)
    ids = token_ids(spec)
    assert "z" not in ids and {*"abcdefgh"} <= ids.keys()
    assert ids["[UNK]"] in TextReader(spec).read("az")["input_ids"].tolist()


def test_words_begin_where_they_are_marked_and_case_is_as_asked() -> None:
    spec = learned(TEXTS, 300, lowercase=True)
    ids = token_ids(spec)
    assert all(token == token.lower() for token in ids if token not in SPECIAL["bert"].values())
    begins = word_beginnings(spec)
    assert begins[ids["\u2581the"]] and not begins[ids["."]]
