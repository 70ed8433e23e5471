"""Whole words and spans of words under the mask: known values and proportions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from helpers.text_toys import Grown
from multigraft import MultigraftError
from multigraft_text.masked_spans import spans, word_beginnings, words_of
from multigraft_text.masking import Masking

BEGINS = np.array([True, True, True, True, True, False, False, True])  # 5 and 6 go on
IDS = np.array([[1, 3, 5, 6, 4, 5, 2, 0], [1, 5, 3, 2, 7, 7, 2, 0]])
PLAIN = ~np.isin(IDS, (0, 1, 2))
SEGMENTS = np.array([[1, 1, 1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 2, 2, 2, 0]])
WORDS = [[-1, 0, 0, 0, 1, 1, -1, -1], [-1, 2, 3, -1, 4, 5, -1, -1]]


def test_words_are_numbered_through_the_batch() -> None:
    assert words_of(IDS, PLAIN, SEGMENTS, BEGINS).tolist() == WORDS


def _masking(unit: str, share: float = 0.15, length: float = 3.0) -> Masking:
    """Ids 10 to 59 begin words, 60 to 99 go on; 0 to 4 are special, 4 the mask."""
    begins = np.arange(100) < 60
    words = np.arange(10, 100)
    return Masking(4, np.arange(5), words, share, unit=unit, span_length=length, begins=begins)


def _batch(rows: int = 400, length: int = 64) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    ids = rng.integers(10, 100, (rows, length))
    ids[:, 0], ids[:, -1] = 1, 2
    mask = np.ones_like(ids)
    mask[::2, 50:], ids[::2, 50:] = 0, 0
    return {"input_ids": ids, "attention_mask": mask}


@pytest.mark.parametrize("unit", ["word", "span"])
def test_whole_words_are_hidden_in_the_right_shares(unit: str) -> None:
    masking, batch = _masking(unit), _batch()
    found = masking.apply(batch, np.random.default_rng(1))
    hidden = found["labels"] != -100
    plain = (batch["attention_mask"] == 1) & (batch["input_ids"] > 4)
    assert masking.begins is not None
    words = words_of(batch["input_ids"], plain, batch["attention_mask"], masking.begins)
    for word in range(0, int(words.max()), 37):
        assert len({*hidden[words == word]}) == 1
    assert not hidden[~plain].any()
    assert hidden.any(1).all()
    assert hidden.sum() / plain.sum() == pytest.approx(0.15, abs=0.02)
    kept = found["input_ids"][hidden] == batch["input_ids"][hidden]
    masked = found["input_ids"][hidden] == 4
    assert masked.mean() == pytest.approx(0.8, abs=0.03)
    assert kept.mean() == pytest.approx(0.1, abs=0.03)
    assert (found["labels"][hidden] == batch["input_ids"][hidden]).all()


def test_spans_fare_as_one_and_are_as_long_as_asked() -> None:
    words, sizes = np.arange(2000)[None], []
    for seed in range(12):
        found = spans(words, np.ones_like(words), 0.15, 3.0, np.random.default_rng(seed))
        assert (found >= 0).sum() == 300
        sizes += np.bincount(found[found >= 0]).tolist()
    # geometric of mean 3, cut at 10, is 2.95; spans that overlap lose a little
    assert np.mean(sizes) == pytest.approx(2.85, abs=0.2)
    assert max(sizes) <= 10
    masking, batch = _masking("span"), _batch(50)
    after = masking.apply(batch, np.random.default_rng(2))
    hidden = after["labels"] != -100
    beside = hidden[:, 1:] & hidden[:, :-1]
    masked = after["input_ids"] == 4
    same = (masked[:, 1:] == masked[:, :-1])[beside].mean()
    assert same > 0.9  # each its own way: 0.68


@pytest.mark.parametrize("unit", ["word", "span"])
def test_the_seed_decides(unit: str) -> None:
    one, two, other = (
        _masking(unit).apply(_batch(8), np.random.default_rng(seed))["input_ids"]
        for seed in (3, 3, 4)
    )
    assert (one == two).all()
    assert (one != other).any()


def test_words_begin_as_each_kind_of_tokenizer_says() -> None:
    def spec(model: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
        whole = {"model": model, "pre_tokenizer": before, "added_tokens": []}
        return {"tokenizer.json": whole}

    pieces = {"vocab": {"fox": 0, "##es": 1}, "continuing_subword_prefix": "##"}
    assert word_beginnings(spec(pieces, {"type": "BertPreTokenizer"})).tolist() == [True, False]
    bytes_ = {"vocab": {"\u0120fox": 0, "es": 1}, "continuing_subword_prefix": ""}
    nested = {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}]}
    assert word_beginnings(spec(bytes_, nested)).tolist() == [True, False]
    unigram = {"vocab": [["\u2581fox", -1.0], ["es", -2.0]]}
    assert word_beginnings(spec(unigram, {"type": "Metaspace"})).tolist() == [True, False]
    with pytest.raises(MultigraftError, match=r"task\.unit"):
        word_beginnings(spec({"vocab": {"a": 0}}, {"type": "Split"}))


def test_a_bert_hides_whole_words(bert: Grown) -> None:
    masking = Masking.of(bert.brief(mask_share=0.3, unit="word"))
    assert masking.begins is not None and 0 < masking.begins.mean() < 1


@pytest.mark.parametrize("unit", ["token", "word"])
def test_a_length_of_spans_is_refused_where_there_are_none(bert: Grown, unit: str) -> None:
    with pytest.raises(MultigraftError, match=r"task\.span_length: belongs to unit: span"):
        Masking.of(bert.brief(mask_share=0.3, unit=unit, span_length=5))
    assert Masking.of(bert.brief(mask_share=0.3, unit="span", span_length=5)).span_length == 5
    assert Masking.of(bert.brief(mask_share=0.3, unit="span")).span_length == 3
