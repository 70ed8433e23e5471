"""N-grams of words and of characters, and where units stand."""

from __future__ import annotations

from multigraft.runtime.answers.text_scores.units import ngrams, place_bits, shared


def test_what_is_too_short_has_no_ngrams() -> None:
    assert ngrams("ab", 3) == ngrams("", 1) == {}


def test_a_unit_is_shared_as_often_as_in_both() -> None:
    one, other = ngrams(("a", "a", "b"), 1), ngrams(("a", "c", "a", "a"), 1)
    assert shared(one, other) == shared(other, one) == 2


def test_a_unit_stands_where_its_bits_are_set() -> None:
    bits = place_bits("banana" * 20)
    assert bits["n"].bit_length() == 119
    assert sum(bits.values()) == (1 << 120) - 1
    assert bits["b"].bit_count() == 20
