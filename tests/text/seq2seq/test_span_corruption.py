"""Span corruption: source and target hold the text, and spans fall as T5's do."""

from __future__ import annotations

from itertools import pairwise
from math import comb

import numpy as np
import pytest

import multigraft_text as text
from helpers.seq2seq_runs import made_texts
from helpers.text_toys import Grown, grow
from multigraft import Brief
from multigraft.errors import MultigraftError, RecipeError, RowError
from multigraft_text.seq2seq import records
from multigraft_text.seq2seq.span_corruption import (
    SpanCorruption,
    compositions,
    corrupt,
    draw_spans,
    sentinel_ids,
)

SENTINELS = np.arange(1000, 1100)
OPTIONS = {"noise_density": 0.15, "span_length": 3.0}


@pytest.fixture(scope="module")
def grown() -> Grown:
    return grow(records.T5)


def restored(source: list[int], target: list[int], sentinels: set[int]) -> list[int]:
    """The text of a source and a target, each sentinel giving way to what stands behind it."""
    places = [place for place, token in enumerate(target) if token in sentinels]
    spans = {target[low]: target[low + 1 : high] for low, high in pairwise(places)}
    return [token for each in source for token in spans.get(each, [each])]


@pytest.mark.parametrize("length", [1, 2, 3, 7, 20, 128, 512])
@pytest.mark.parametrize(("density", "mean"), [(0.15, 3.0), (0.5, 1.0), (0.9, 10.0)])
def test_source_and_target_together_are_the_text(length: int, density: float, mean: float) -> None:
    rng = np.random.default_rng(length)
    sentinels = np.arange(1000, 2000)
    for _ in range(30):
        tokens = rng.integers(0, 500, length)
        gaps, sizes = draw_spans(length, density, mean, rng)
        noise = min(max(round(length * density), 1), max(length - 1, 1))
        spans = min(max(round(noise / mean), 1), noise, length - noise + 1)
        assert sizes.sum() == noise and len(sizes) == spans, "as the formula has it, in every row"
        assert sizes.min() >= 1 and (gaps[1:-1] >= 1).all() and gaps.min() >= 0
        source, target = corrupt(tokens, gaps, sizes, sentinels)
        assert len(source) == length - noise + spans and len(target) == noise + spans + 1
        assert target[0] == 1000 and target[-1] == 1000 + spans, "one sentinel more ends it"
        found = restored(source.tolist(), target.tolist(), set(sentinels.tolist()))
        assert found == tokens.tolist()


def test_each_way_to_cut_is_equally_probable() -> None:
    """Of a composition of n into k parts the first has the size s in C(n-s-1, k-2) of C(n-1, k-1)
    ways."""
    rng = np.random.default_rng(0)
    drawn = np.array([compositions(12, 4, rng) for _ in range(6000)])
    assert (drawn.sum(1) == 12).all() and drawn.min() == 1
    ways = np.array([comb(12 - size - 1, 2) for size in range(1, 10)]) / comb(11, 3)
    for part in range(4):
        counts = np.bincount(drawn[:, part], minlength=10)[1:10]
        chi2 = ((counts - 6000 * ways) ** 2 / (6000 * ways)).sum()
        assert chi2 < 26.1  # the 0.999 quantile with 8 degrees of freedom


def test_every_place_is_dropped_as_often_as_the_density_says() -> None:
    rng, length, count = np.random.default_rng(1), 40, 4000
    dropped = np.zeros(length)
    for _ in range(count):
        gaps, sizes = draw_spans(length, 0.15, 3.0, rng)
        ends = (gaps[:-1] + sizes).cumsum()
        for end, size in zip(ends, sizes, strict=True):
            dropped[end - size : end] += 1
    assert dropped.sum() == 6 * count
    share = dropped / count
    inner = share[4:-4]
    assert abs(inner.mean() - 0.15) < 0.012
    assert np.ptp(inner) < 8 * np.sqrt(0.15 * 0.85 / count), "inside, no place is favoured"
    assert share[[0, -1]].min() > 0.04, "a text begins and ends with either"


def test_a_row_is_corrupted_by_its_chance_alone(grown: Grown) -> None:
    made = SpanCorruption(grown.brief(**OPTIONS))
    ids = set(made.sentinels.tolist())
    for number, raw in enumerate(made_texts(20, seed=3)):
        row = grown.reader.read(raw)
        once, again, other = (made.view(row, np.random.default_rng([s, number])) for s in (1, 1, 2))
        assert all(np.array_equal(once[name], again[name]) for name in once)
        end = row["input_ids"][-1]
        assert once["input_ids"][-1] == once["labels"][-1] == end
        assert len(once["attention_mask"]) == len(once["input_ids"])
        for view in (once, other):
            text_ = restored(view["input_ids"].tolist(), view["labels"].tolist(), ids)
            assert text_ == row["input_ids"].tolist()


def test_a_learned_t5_has_a_hundred_sentinels_beyond_its_vocabulary(grown: Grown) -> None:
    ids = sentinel_ids(grown.spec)
    assert len(ids) == len(set(ids.tolist())) == 100
    assert grown.module.model.config.vocab_size == int(ids.max()) + 1
    assert grown.reader.text([int(ids[3])]) == "", "special, so no text that is written has them"


def test_sentinels_count_from_zero_without_a_gap() -> None:
    vocabulary = {"<pad>": 0, "\u2581<extra_id_1>": 8, "\u2581<extra_id_0>": 9, "<extra_id_5>": 3}
    spec = {"tokenizer.json": {"model": {"vocab": vocabulary}, "added_tokens": []}}
    assert sentinel_ids(spec).tolist() == [9, 8]


@pytest.mark.parametrize("family", [records.BART, records.MARIAN])
def test_a_tokenizer_without_sentinels_is_refused_with_what_fits(family: object) -> None:
    with pytest.raises(MultigraftError, match=r"needs a tokenizer with sentinels.*fit: t5-"):
        SpanCorruption(grow(family).brief(**OPTIONS))  # type: ignore[arg-type]


def test_more_spans_than_sentinels_are_refused_before_training(grown: Grown) -> None:
    with pytest.raises(RecipeError, match=r"task\.span_length: found 1\.0; a row of reader\.max"):
        SpanCorruption(
            Brief(
                backbone=grown.module,
                reader=type(grown.reader)({**grown.spec, "max_length": 400}),
                targets={},
                options={"noise_density": 0.5, "span_length": 1.0},
                modality="text",
            )
        )


def test_an_encoder_and_a_pair_of_texts_are_refused(grown: Grown) -> None:
    with pytest.raises(MultigraftError, match="needs an encoder-decoder"):
        SpanCorruption(grow(text.BERT).brief(**OPTIONS))
    with pytest.raises(RowError, match="write both into one") as caught:
        SpanCorruption(grown.brief(**OPTIONS)).encode({"text": "a", "text_pair": "b"}, {})
    assert caught.value.column == "text_pair"
