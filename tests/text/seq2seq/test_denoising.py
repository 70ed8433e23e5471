"""Denoising: what is changed is undone by the target, and spans are Poisson's."""

from __future__ import annotations

import json
from math import exp

import numpy as np
import pytest

from helpers.text_toys import DOCUMENTS, Grown, grow
from multigraft.errors import MultigraftError
from multigraft_text.reader import TextReader
from multigraft_text.seq2seq import records
from multigraft_text.seq2seq.denoising import (
    Denoising,
    draw_lengths,
    infill,
    permute,
    sentence_ends,
)
from multigraft_text.seq2seq.own_tokens import Frame
from multigraft_text.token_ids import token_ids

OPTIONS = {"mask_share": 0.3, "span_length": 3.0, "permute_sentences": True}
MASK = 999


@pytest.fixture(scope="module")
def grown() -> Grown:
    return grow(records.BART)


@pytest.mark.parametrize("wanted", [1, 2, 5, 40, 150])
@pytest.mark.parametrize("mean", [1.0, 3.0, 10.0])
def test_lengths_have_the_tokens_that_are_wanted_and_lengthen_no_text(
    wanted: int, mean: float
) -> None:
    rng = np.random.default_rng(wanted)
    for _ in range(50):
        lengths = draw_lengths(wanted, mean, rng)
        assert lengths.sum() == wanted and len(lengths) <= wanted


def test_lengths_are_poisson() -> None:
    """Of long draws, in which the one that is cut at the end counts little."""
    rng = np.random.default_rng(0)
    found = np.concatenate([draw_lengths(3000, 3.0, rng) for _ in range(20)])
    count = len(found)
    for length in range(7):
        share = exp(-3) * 3**length / np.prod(np.arange(1, length + 1))
        error = np.sqrt(share * (1 - share) / count)
        assert abs((found == length).mean() - share) < 4 * error + 20 / count, length


def test_what_is_kept_keeps_its_order_and_each_span_is_one_mask() -> None:
    rng = np.random.default_rng(2)
    for length in (1, 2, 9, 60):
        for _ in range(40):
            tokens = np.arange(length)
            lengths = draw_lengths(max(1, round(0.3 * length)), 3.0, rng)
            found = infill(tokens, lengths, MASK, rng)
            kept = found[found != MASK]
            assert (np.diff(kept) > 0).all() and len(kept) == length - lengths.sum()
            assert (found == MASK).sum() == len(lengths)
            assert len(found) <= length


def test_each_way_to_place_spans_is_equally_probable() -> None:
    rng, count = np.random.default_rng(3), 6000
    drawn = [
        tuple(infill(np.arange(4), np.array([2, 0]), MASK, rng).tolist()) for _ in range(count)
    ]
    seen = {each: drawn.count(each) for each in set(drawn)}
    # two tokens are kept: six ways to place two masks among four slots
    assert len(seen) == 6
    assert max(abs(each - count / 6) for each in seen.values()) < 4 * np.sqrt(count * 5 / 36)


def test_sentences_come_whole_in_every_order() -> None:
    ends = np.arange(10) < 2
    tokens = np.array([5, 6, 0, 7, 1, 8, 9])
    seen = {
        tuple(permute(tokens, ends, np.random.default_rng(seed)).tolist()) for seed in range(60)
    }
    sentences = ((5, 6, 0), (7, 1), (8, 9))
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    assert seen == {sum((sentences[each] for each in order), ()) for order in orders}


def test_the_target_is_the_text(grown: Grown) -> None:
    made = Denoising(grown.brief(**OPTIONS))
    masks, orders = 0, 0
    for number, raw in enumerate(DOCUMENTS):
        row = grown.reader.read(raw)
        once, again = (made.view(row, np.random.default_rng([1, number])) for _ in range(2))
        assert all(np.array_equal(once[name], again[name]) for name in once)
        assert once["labels"].tolist() == row["input_ids"].tolist()
        assert grown.reader.text(once["labels"]) == grown.reader.text(row["input_ids"])
        source = once["input_ids"]
        assert source[-1] == row["input_ids"][-1] and len(source) <= len(row["input_ids"])
        masks += int((source == made.mask).sum())
        plain = Denoising(grown.brief(**{**OPTIONS, "permute_sentences": False}))
        kept = [each for each in plain.view(row, np.random.default_rng(number))["input_ids"]
                if each != made.mask]  # fmt: skip
        rest = iter(row["input_ids"].tolist())
        assert all(each in rest for each in kept), "without permutation a subsequence"
        rest = iter(row["input_ids"].tolist())
        orders += not all(each in rest for each in source[source != made.mask].tolist())
    assert masks >= len(DOCUMENTS) and orders > 0


def test_what_stands_around_a_text_is_left_alone(grown: Grown) -> None:
    """As BART's ``<s>`` before it, and mBART's language behind its end."""
    content = json.loads(json.dumps(grown.spec["tokenizer.json"]))
    names, numbers = ("<mask>", "</s>", "<pad>"), token_ids(grown.spec)
    pieces = [{"SpecialToken": {"id": token, "type_id": 0}} for token in names]
    text = {"Sequence": {"id": "A", "type_id": 0}}
    content["post_processor"] |= {
        "single": [pieces[0], text, *pieces[1:]],
        "special_tokens": {
            token: {"id": token, "ids": [numbers[token]], "tokens": [token]} for token in names
        },
    }
    spec = {**grown.spec, "tokenizer.json": content}
    frame = Frame.of(spec, end=numbers["</s>"])
    row = TextReader(spec).read("the hill")
    assert (frame.front, frame.back) == (1, 2)
    assert grown.reader.text(frame.tokens(row)) == "the hill"
    found = frame.learned(row, np.array([7, 8]), np.array([9]))
    around = [numbers[token] for token in names]
    assert found["input_ids"].tolist() == [around[0], 7, 8, *around[1:]]
    assert found["labels"].tolist() == [9, numbers["</s>"]]


def test_sentences_end_where_their_marks_stand(grown: Grown) -> None:
    ends, spec = sentence_ends(grown.spec), grown.spec
    vocabulary = spec["tokenizer.json"]["model"]["vocab"]
    assert ends[vocabulary["."]] and ends[vocabulary["?"]] and not ends[vocabulary["a"]]


@pytest.mark.parametrize("family", [records.T5, records.MARIAN])
def test_a_tokenizer_without_a_mask_is_refused_with_what_fits(family: object) -> None:
    with pytest.raises(MultigraftError, match=r"needs a tokenizer with a mask token.*fit: bart-"):
        Denoising(grow(family).brief(**OPTIONS))  # type: ignore[arg-type]
