"""Words of tokens, whatever a token ends in."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from multigraft.runtime.transcribing.token_words import token_words


def written(*pieces: bytes) -> tuple[list[int], object]:
    """Tokens of pieces of UTF-8, and what makes text of them."""

    def text(tokens: Sequence[int]) -> str:
        return b"".join(pieces[token] for token in tokens).decode(errors="replace").lstrip()

    return list(range(len(pieces))), text


@pytest.mark.parametrize(
    ("pieces", "wanted"),
    [
        ([b" one", b" two"], [("one", 0, 0), ("two", 1, 1)]),
        ([b" ab", b"out", b" it"], [("about", 0, 1), ("it", 2, 2)]),
        ([b" well", b",", b" then", b"."], [("well,", 0, 0), ("then.", 2, 2)]),
        ([b' "', b"yes", b'"'], [('"yes"', 1, 1)]),
        ([b" caf", b"\xc3", b"\xa9", b" au"], [("café", 0, 2), ("au", 3, 3)]),
        ([b" it's"], [("it's", 0, 0)]),
        ([b" -", b" a"], [("-", 0, 0), ("a", 1, 1)]),
        ([b" two words"], [("two", 0, 0), ("words", 0, 0)]),
        ([], []),
    ],
)
def test_words_have_the_tokens_of_their_letters(
    pieces: list[bytes], wanted: list[tuple[str, int, int]]
) -> None:
    tokens, text = written(*pieces)
    found = token_words(tokens, text)  # type: ignore[arg-type]
    assert [(word.text, word.first, word.last) for word in found] == wanted


def test_where_no_spaces_are_written_a_character_is_a_word() -> None:
    pieces = "你".encode()
    tokens, text = written(pieces[:2], pieces[2:], "好。".encode())
    found = token_words(tokens, text, spaced=False)  # type: ignore[arg-type]
    assert [(word.text, word.first, word.last) for word in found] == [
        ("你", 1, 1),  # whole only with its last byte
        ("好", 2, 2),
        ("。", 2, 2),
    ]
