"""Train a Unigram tokenizer (Kudo 2018), as SentencePiece's, so that the texts alone decide."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

ROUNDS = 4
"""Of counting pieces and cutting by the counts; from the third on hardly a piece changes."""
NEVER = 0.5
"""What a piece counts that no word is cut into."""


def train_unigram(
    texts: Sequence[str],
    size: int,
    *,
    normalizer: normalizers.Normalizer,
    names: Sequence[str],
    unknown: str,
) -> Tokenizer:
    """A Unigram of ``size`` pieces, ``names`` of special tokens among them.

    Which pieces remain is `tokenizers`' to say. It adds up their probabilities in the order of a
    hash table, which differs from process to process; so scores are counted anew here, by Viterbi
    training from equal ones. Letters beyond half the size, the rarest, are unknown.
    """
    steps = normalizers.Sequence([normalizer, *_spaces()])
    words = _words(texts, steps, letters=size // 2)
    names = list(names)
    tokenizer = _tokenizer([(name, 0.0) for name in names], names.index(unknown), steps)
    trainer = trainers.UnigramTrainer(
        vocab_size=size, special_tokens=names, unk_token=unknown, show_progress=False
    )
    joined = (word for word, count in words.items() for _ in range(count))
    tokenizer.train_from_iterator(joined, trainer)
    pieces = sorted(tokenizer.get_vocab().keys() - {*names})
    scores = _scores(words, pieces, steps)
    ordered = sorted(pieces, key=lambda piece: (-scores[piece], piece))
    every = [(name, 0.0) for name in names] + [(piece, scores[piece]) for piece in ordered]
    return _tokenizer(every, names.index(unknown), steps)


def _spaces() -> list[normalizers.Normalizer]:
    """No space at the ends, and one between words: what SentencePiece does to a text."""
    return [
        normalizers.Replace(Regex(r"^\s+|\s+$"), ""),
        normalizers.Replace(Regex(r"\s+"), " "),
    ]


def _tokenizer(
    pieces: list[tuple[str, float]], unknown: int, steps: normalizers.Normalizer
) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=unknown))
    tokenizer.normalizer = steps
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def _words(texts: Sequence[str], steps: normalizers.Normalizer, *, letters: int) -> Counter[str]:
    """The words of all texts, normalized, cut where a letter is none of the most frequent."""
    cut = [steps.normalize_str(text) for text in texts]
    counts = Counter(letter for text in cut for letter in text if not letter.isspace())
    rare = sorted(counts, key=lambda letter: (-counts[letter], letter))[letters:]
    table = str.maketrans(dict.fromkeys(rare, " "))
    return Counter(word for text in cut for word in text.translate(table).split())


def _scores(
    words: Mapping[str, int], pieces: Sequence[str], steps: normalizers.Normalizer
) -> dict[str, float]:
    """The log of each piece's share in the best cuts of all words."""
    texts, counts = sorted(words), np.array([words[word] for word in sorted(words)])
    scores = np.full(len(pieces), -1.0)
    for _ in range(ROUNDS):
        shown = [("\0", 0.0), *zip(pieces, scores.tolist(), strict=True)]
        cuts = _tokenizer(shown, 0, steps).encode_batch_fast(texts)
        ids = np.concatenate([cut.ids for cut in cuts])
        weight = np.repeat(counts, [len(cut.ids) for cut in cuts])
        found = np.bincount(ids, weight, minlength=len(shown))[1:]
        scores = np.array([math.log(max(each, NEVER) / found.sum()) for each in found])
    return dict(zip(pieces, scores.tolist(), strict=True))
