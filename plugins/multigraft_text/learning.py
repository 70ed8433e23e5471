"""Train a tokenizer on raw text: WordPiece, byte-level BPE, Unigram, or characters."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from multigraft import MultigraftError, RowError
from multigraft.contracts.types import Spec
from multigraft_text.cleaning import clean
from multigraft_text.unigram import train_unigram

BERT_SPECIAL = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
GPT_SPECIAL = {
    "pad_token": "<|pad|>",
    "unk_token": "<|unk|>",
    "bos_token": "<|endoftext|>",
    "eos_token": "<|endoftext|>",
}
CLIP_SPECIAL = {
    "bos_token": "<|startoftext|>",
    "eos_token": "<|endoftext|>",
    "unk_token": "<|endoftext|>",
    "pad_token": "<|endoftext|>",
}
SEQ2SEQ_SPECIAL = {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "</s>"}
SPECIAL = {
    "bert": BERT_SPECIAL,
    "gpt": GPT_SPECIAL,
    "clip": CLIP_SPECIAL,
    "seq2seq": SEQ2SEQ_SPECIAL,
    "t5": SEQ2SEQ_SPECIAL,
    "bart": {**SEQ2SEQ_SPECIAL, "mask_token": "<mask>"},
}
"""By style, role -> token."""
SENTINELS = tuple(f"<extra_id_{number}>" for number in range(100))
"""What T5's tokenizers have besides (Raffel et al. 2020), beyond the size that is asked for."""
PREFIX = "##"
Learn = Callable[[Sequence[str], int, bool, dict[str, str]], Tokenizer]


def fit(raws: Iterable[Any], spec: Spec) -> Spec:
    """Learn the tokenizer that ``spec["learn"]`` describes; a complete spec comes back unchanged.

    Raw values that cannot be read are passed over here: the reader refuses them, with their place.
    """
    if spec.get("tokenizer.json") is not None:
        return spec
    wanted = spec["learn"]
    faults: list[str] = []
    texts = list(_texts(raws, faults))
    if not texts:
        why = (
            f"; of the first: {faults[0]}"
            if faults
            else ": is another column the text? data.columns: {text: ...}"
        )
        raise MultigraftError(f"a tokenizer is to be learned, but no row holds a text{why}")
    special = SPECIAL[wanted["style"]]
    tokenizer = LEARNERS[wanted["tokenizer"]](
        texts, wanted["vocabulary"], wanted["lowercase"], special
    )
    tokenizer.add_special_tokens(_names(special))
    if wanted["style"] == "t5":
        tokenizer.add_special_tokens(list(SENTINELS))
    tokenizer.post_processor = _template(tokenizer, wanted["style"])
    complete = {key: value for key, value in spec.items() if key != "learn"}
    return {
        **complete,
        "tokenizer.json": json.loads(tokenizer.to_str()),
        "pad_id": tokenizer.token_to_id(special["pad_token"]),
        "special": dict(special),
    }


def _texts(raws: Iterable[Any], faults: list[str]) -> Iterable[str]:
    """The texts that can be read; what is wrong with others goes to ``faults``."""
    for raw in raws:
        for text in raw if isinstance(raw, tuple) else (raw,):
            try:
                yield clean(text)
            except RowError as error:
                faults.append(str(error))


def wordpiece(
    texts: Sequence[str], size: int, lowercase: bool, special: dict[str, str]
) -> Tokenizer:
    """WordPiece (Schuster & Nakajima 2012) on BERT's words."""
    learner = _bert_tokenizer({}, lowercase, special)
    letters = _letters(texts, learner.normalizer, max(size // 4, 1))
    # The trainer numbers the inner letters in the order of a hash table, which differs from process
    # to
    # process, and breaks ties by number. Numbering them first makes the result depend on the texts
    # alone.
    inner = [PREFIX + letter for letter in letters if _joins(letter, learner.pre_tokenizer)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        special_tokens=[*_names(special), *inner],
        continuing_subword_prefix=PREFIX,
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    # where the inner letters are not special
    return _bert_tokenizer(learner.get_vocab(), lowercase, special)


def _bert_tokenizer(
    vocabulary: dict[str, int], lowercase: bool, special: dict[str, str]
) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=special["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix=PREFIX)
    return tokenizer


def _joins(letter: str, pre_tokenizer: Any) -> bool:
    """Tell a letter within a word; punctuation and ideographs are words of their own."""
    return len(pre_tokenizer.pre_tokenize_str(f"a{letter}a")) == 1


def bpe(texts: Sequence[str], size: int, lowercase: bool, special: dict[str, str]) -> Tokenizer:
    """Byte-level byte-pair encoding (Radford et al. 2019, section 2.2)."""
    names, letters = _names(special), sorted(pre_tokenizers.ByteLevel.alphabet())
    if size < len(names) + len(letters):
        raise MultigraftError(
            f"reader.vocabulary: found {size}; byte-level BPE needs at least "
            f"{len(names) + len(letters)}"
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = _normalizer(lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=names, initial_alphabet=letters, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def character(
    texts: Sequence[str], size: int, lowercase: bool, special: dict[str, str]
) -> Tokenizer:
    """One token a character; the rarest beyond ``size`` are unknown."""
    tokenizer = Tokenizer(models.WordLevel(unk_token=special["unk_token"]))
    tokenizer.normalizer = _normalizer(lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    trainer = trainers.WordLevelTrainer(
        vocab_size=size, special_tokens=_names(special), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def unigram(texts: Sequence[str], size: int, lowercase: bool, special: dict[str, str]) -> Tokenizer:
    """Unigram (Kudo 2018), words marked as SentencePiece marks them."""
    names, unknown = _names(special), special["unk_token"]
    return train_unigram(
        texts, size, normalizer=_normalizer(lowercase), names=names, unknown=unknown
    )


LEARNERS: dict[str, Learn] = {
    "wordpiece": wordpiece,
    "bpe": bpe,
    "unigram": unigram,
    "character": character,
}


def _letters(texts: Sequence[str], normalizer: Any, limit: int) -> list[str]:
    """The most frequent characters, and of equally frequent ones the first in the alphabet."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(normalizer.normalize_str(text))
    seen = [letter for letter in counts if not letter.isspace()]
    return sorted(seen, key=lambda letter: (-counts[letter], letter))[:limit]


def _names(special: dict[str, str]) -> list[str]:
    return list(dict.fromkeys(special.values()))


def _normalizer(lowercase: bool) -> Any:
    steps = [normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])]
    return normalizers.Sequence(steps)


def _template(tokenizer: Tokenizer, style: str) -> Any:
    """``[CLS] A [SEP] B [SEP]`` as BERT has it; else each text closed by the end token, and of
    CLIP begun by a token too."""
    if style == "bert":
        single, pair, tokens = "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ["[CLS]", "[SEP]"]
    else:
        end = SPECIAL[style]["eos_token"]
        single, pair, tokens = f"$A {end}", f"$A {end} $B:1 {end}:1", [end]
    if style == "clip":
        begin = CLIP_SPECIAL["bos_token"]
        single, pair, tokens = f"{begin} {single}", f"{begin} {pair}", [begin, *tokens]
    return processors.TemplateProcessing(
        single=single,
        pair=pair,
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in tokens],
    )
