"""Vocabulary of a CTC model: what each of its tokens writes, learned or read from a vocab.json."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.contracts.types import Spec
from multigraft.errors import MultigraftError, refused_as
from multigraft.runtime.answers.ctc_decoding.arpa import parse_arpa
from multigraft.runtime.answers.text_scores.normalization import WORD_MARK
from multigraft.system.files import check_plain

FILE = "vocab.json"
BYTES = 2**24
"""The most bytes of a file of tokens."""
ARPA_BYTES = 2**24
"""The most bytes of a language model: it lies in the bundle's manifest."""
BLANKS = ("<pad>", "[PAD]")
"""What the blank is called in vocabularies of transformers."""
UNKNOWN = "<unk>"
SPECIAL = re.compile(r"<[^<>\s]+>|\[[A-Z]+\]")


def vocabulary_spec(columns: Mapping[str, Sequence[Any]], options: Mapping[str, Any]) -> Spec:
    """``vocabulary``, what each token writes, and ``blank``, the number of the one for nothing new;
    beside them how transcripts were normalised.

    Learned, it has every character of the training transcripts.
    """
    rules = {name: options[name] for name in ("case", "punctuation")}
    told = {"normalization": rules, **language_model(options)}
    if options["vocabulary"] is not None:
        return {**read_vocabulary(Path(options["vocabulary"])), **told}
    characters = sorted({sign for text in columns["text"] for sign in text or ""})
    return {"vocabulary": ["", *characters], "blank": 0, **told}


def language_model(options: Mapping[str, Any]) -> Spec:
    """``language_model`` as `Transcription` reads it, where the options name an ARPA file; else
    nothing. Raises MultigraftError."""
    if options["language_model"] is None:
        return {}
    file = Path(options["language_model"])
    with refused_as(MultigraftError, f"task.language_model: {file} cannot be read"):
        check_plain(file, limit=ARPA_BYTES)
        text = file.read_text(encoding="utf-8")
        parse_arpa(text)
    settings = {"weight": options["language_weight"], "bonus": options["word_bonus"]}
    return {"language_model": {"arpa": text, **settings}}


def read_vocabulary(path: Path) -> Spec:
    """The vocabulary in a file of token -> number, or in a folder with such a ``vocab.json``.

    ``|`` writes a space, and ``<unk>`` and its like nothing. Raises MultigraftError for a file that
    is no vocabulary of single characters with a blank.
    """
    file = path / FILE if path.is_dir() else path
    with refused_as(MultigraftError, f"task.vocabulary: {file} cannot be read"):
        check_plain(file, limit=BYTES)
        listed = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(listed, dict) or sorted(listed.values(), key=str) != sorted(
        range(len(listed)), key=str
    ):
        raise MultigraftError(
            f"task.vocabulary: {file} holds no object of tokens, each with its number from 0 on"
        )
    blanks = [listed[name] for name in BLANKS if name in listed]
    if not blanks:
        raise MultigraftError(f"task.vocabulary: {file} has no blank, {' or '.join(BLANKS)}")
    writes = [_written(token, file) for token in sorted(listed, key=lambda name: listed[name])]
    return {"vocabulary": writes, "blank": blanks[0]}


def _written(token: str, file: Path) -> str:
    if token == WORD_MARK:
        return " "
    if SPECIAL.fullmatch(token):
        return ""
    if len(token) != 1:
        raise MultigraftError(
            f"task.vocabulary: {file} has the token {token!r}; one character each is read"
        )
    return token


def token_names(vocabulary: Sequence[str], blank: int) -> list[str]:
    """The tokens as a ``vocab.json`` has them, in order.

    >>> token_names(["", "", " ", "a"], 0)
    ['<pad>', '<unk>', '|', 'a']
    """
    names = [WORD_MARK if text == " " else text for text in vocabulary]
    names[blank] = BLANKS[0]
    silent = [place for place, name in enumerate(names) if not name]
    for number, place in enumerate(reversed(silent)):
        names[place] = UNKNOWN if number == 0 else f"<unused-{number}>"
    return names


def blank_of(names: Sequence[str]) -> int:
    """The number of the blank in a ``vocab.json``'s tokens."""
    return next(names.index(name) for name in BLANKS if name in names)


def save_tokens(folder: Path, names: Sequence[str]) -> None:
    """Write transformers' tokenizer of a CTC model: ``vocab.json`` and what is special in it."""
    listed = {name: number for number, name in enumerate(names)}
    settings = {
        "tokenizer_class": "Wav2Vec2CTCTokenizer",
        "pad_token": names[blank_of(names)],
        "unk_token": UNKNOWN if UNKNOWN in listed else None,
        "bos_token": None,
        "eos_token": None,
        "word_delimiter_token": WORD_MARK,
        "do_lower_case": False,
    }
    for name, content in ((FILE, listed), ("tokenizer_config.json", settings)):
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (folder / name).write_text(text, encoding="utf-8")


def transcript_samples(
    rng: np.random.Generator, raws: Sequence[Any]
) -> Mapping[str, Sequence[Any]]:
    """Made-up short transcripts, with a letter twice in some."""
    said = ("ab", "a", "aa", "b a", "ba")
    return {"text": [said[int(rng.integers(len(said)))] for _ in raws]}
