"""Tokenizer bounds: what a tokenizer from a stranger's file may cost.

A file of a few KB can ask for any amount of memory, as by replacements that each double a letter.
What can be told from the file is refused where it is opened; how much a text grows is told from
both, as it is read. Regular expressions need no bound of ours: the library stops one that goes back
and forth too often.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tokenizers import Tokenizer

from multigraft import RowError
from multigraft.errors import BundleError

MOST, TIMES, FEW = 4_000_000, 20, 1_000
"""Characters a normalizer may make of a text: so many, and so many times its own and a few."""
AT_ONCE = 20_000_000
"""Characters one step may make, growing all it can: a million in Unicode's longest form."""
DECODED = 64
"""Times that a decoder may lengthen a token."""
STEPS = 16
"""Of a pre-tokenizer, each of which may add a letter to a piece."""
PREPENDED = 16
"""Characters in front of each piece of a text between added tokens."""
WORD, PIECE = 1_000, 4_000
"""Letters of a word searched for pieces, and of a piece: the product with a text's is time."""
FORMS: Mapping[str, float] = {
    **{"NFKC": 18, "NFKD": 18, "NFC": 2, "NFD": 4, "BertNormalizer": 4, "ByteLevel": 4},
    **{"Lowercase": 1, "Nmt": 1, "Strip": 1, "StripAccents": 1},
    **{"ByteFallback": 1, "Fuse": 1, "WordPiece": 2, "Metaspace": 2, "BPEDecoder": 2, "CTC": 1},
}
"""Letters that a letter becomes by each kind of step, but for a few in NFC and Lowercase."""
UNKNOWN = 20.0


def refuse_costly(tokenizer: Mapping[str, Any]) -> None:
    """Raise BundleError for what would cost too much on any text."""
    model = tokenizer.get("model") or {}
    word = model.get("max_input_chars_per_word")
    if isinstance(word, int) and word > WORD:
        raise _costly(
            f"looks for pieces in words of {word:,} letters; at most {WORD:,} are allowed"
        )
    if model.get("type") == "Unigram":
        longest = max((len(piece[0]) for piece in model.get("vocab") or [] if piece), default=0)
        if longest > PIECE:
            raise _costly(f"has a piece of {longest:,} letters; at most {PIECE:,} are allowed")
    steps = [step.get("type") for step in _steps(tokenizer.get("pre_tokenizer"), "pretokenizers")]
    if len(steps) > STEPS or steps.count("ByteLevel") > 1:
        raise _costly(
            f"cuts a text in {len(steps)} steps; {STEPS}, one of them of bytes, are allowed"
        )
    for step in _steps(tokenizer.get("normalizer"), "normalizers"):
        if len(str(step.get("prepend") or "")) > PREPENDED:
            raise _costly(f"puts more than {PREPENDED} characters in front of a piece of text")
    decoded = math.prod(growth(step) for step in _steps(tokenizer.get("decoder"), "decoders"))
    if decoded > DECODED:
        raise _costly(
            f"may lengthen a token {decoded:,.0f} times in decoding; {DECODED} are allowed"
        )


def growth(step: Mapping[str, Any]) -> float:
    """Bound the letters that one letter can become by a step of a normalizer or a decoder.

    >>> growth({"type": "Replace", "pattern": {"String": "ab"}, "content": "xxxxxx"})
    3.0
    >>> growth({"type": "Replace", "pattern": {"Regex": "b*"}, "content": "x"})
    2.0
    """
    kind, content = step.get("type"), len(str(step.get("content") or ""))
    if kind == "Replace":
        pattern = (step.get("pattern") or {}).get("String")
        # a pattern may match nothing
        return max(1.0, content / len(pattern)) if pattern else 1.0 + content
    if kind == "Prepend":
        return 1.0 + len(str(step.get("prepend") or ""))
    if kind == "Precompiled":
        return _longest_form(str(step.get("precompiled_charsmap") or ""))
    return FORMS.get(str(kind), UNKNOWN)


class Growth:
    """Growth of texts by a tokenizer's normalizer."""

    def __init__(self, tokenizer: Mapping[str, Any]) -> None:
        self._steps = list(_steps(tokenizer.get("normalizer"), "normalizers"))
        self._factors = [growth(step) for step in self._steps]
        self._most = math.prod(self._factors)
        self._run: list[Callable[[str], str]] | None = None

    def refuse(self, text: str) -> None:
        """Raise RowError for a text that would become too long.

        Asked of every text: nothing is computed where all that its steps could make of it is
        little.
        """
        if len(text) * self._most > MOST and self._grown(text) > _allowed(len(text)):
            raise RowError(
                f"the tokenizer would make more than {_allowed(len(text)):,} characters of the "
                f"text's {len(text):,}"
            )

    def refuse_tokens(self, tokens: Sequence[Mapping[str, Any]]) -> None:
        """Raise BundleError for too long tokens among those normalized on opening."""
        texts = [str(token.get("content")) for token in tokens if token.get("normalized")]
        if sum(map(len, texts)) * self._most <= MOST:
            return
        left = float(_allowed(sum(map(len, texts))))
        for text in texts:
            left -= self._grown(text)
            if left < 0:
                raise _costly("makes too many characters of its added tokens")

    def _grown(self, text: str) -> float:
        """Length of a normalized text; infinite where that would have taken too much."""
        if self._run is None:
            self._run = [_alone(step) for step in self._steps]
        most = _allowed(len(text))
        for factor, run in zip(self._factors, self._run, strict=True):
            if len(text) * factor > AT_ONCE:
                return math.inf
            text = run(text)
            if len(text) > most:
                return math.inf
        return len(text)


def _allowed(length: int) -> int:
    """How many characters may become of so many."""
    return min(MOST, TIMES * length + FEW)


def _alone(step: Mapping[str, Any]) -> Callable[[str], str]:
    """One step of a normalizer as a function."""
    model = {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}
    made = Tokenizer.from_str(
        json.dumps({"version": "1.0", "added_tokens": [], "normalizer": step, "model": model})
    )
    run: Callable[[str], str] = made.normalizer.normalize_str
    return run


def _steps(step: Any, inner: str) -> Iterator[Mapping[str, Any]]:
    """The steps of a sequence, at any depth; a single step; or none."""
    if not isinstance(step, dict):
        return
    if step.get("type") != "Sequence":
        yield step
        return
    for each in step.get(inner) or []:
        yield from _steps(each, inner)


def _longest_form(charsmap: str) -> float:
    """The longest replacement in a SentencePiece map: a trie, then texts that end in NUL."""
    try:
        content = base64.b64decode(charsmap)
        forms = content[4 + int.from_bytes(content[:4], "little") :].split(b"\0")
    except ValueError:
        return UNKNOWN  # the library will say what is wrong with it
    return float(max(1, *(len(form.decode("utf-8", "ignore")) for form in forms)))


def _costly(what: str) -> BundleError:
    return BundleError(f"tokenizer.json {what}: it would take too much of this machine")
