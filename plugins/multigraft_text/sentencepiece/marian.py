"""Marian's tokenizers: a SentencePiece file of each language, and ids of both in one vocabulary."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multigraft.contracts.readers import SPEC_BYTES
from multigraft.errors import WeightsError, refused_as
from multigraft.system.files import check_plain
from multigraft_text.sentencepiece.conversion import Layout, tokenizer_json
from multigraft_text.sentencepiece.model_file import HIDDEN, NORMAL, PieceModel, read_pieces

SOURCE, TARGET, VOCABULARY = "source.spm", "target.spm", "vocab.json"
OWN_TARGET = "target_vocab.json"
SPECIAL = ("</s>", "<unk>", "<pad>")
UNKNOWN_COSTS = 10.0
"""Below the lowest score, as SentencePiece has it."""


def marian_json(folder: Path, side: str) -> dict[str, Any]:
    """The tokenizer of the source or the target side, by the name of its file.

    Raises WeightsError where a tokenizer.json could not give the same ids.
    """
    if (folder / OWN_TARGET).exists():
        raise WeightsError(
            f"{folder}: has a vocabulary of its own for what is written ({OWN_TARGET}); one for "
            "both is needed"
        )
    ids = _vocabulary(folder / VOCABULARY)
    model = read_pieces(folder / side)
    _check_ids(ids, model, folder / side)
    languages = [token for token in ids if token.startswith(">>") and token.endswith("<<")]
    special = (*SPECIAL, *languages)
    layout = Layout(
        pieces=_pieces(ids, model, special),
        unknown=ids["<unk>"],
        special=special,
        single="$A </s>",
        pair="$A $B </s>",
        known=model.letters,
    )
    return tokenizer_json(layout, model)


def target_json(folder: Path) -> dict[str, Any] | None:
    """The tokenizer of what is written; None where it is that of what is read."""
    if not (folder / TARGET).is_file():
        return None
    same = (folder / SOURCE).read_bytes() == (folder / TARGET).read_bytes()
    return None if same else marian_json(folder, TARGET)


def _pieces(
    ids: Mapping[str, int], model: PieceModel, special: Sequence[str]
) -> list[tuple[str, float]]:
    """The vocabulary by id: this language's pieces with their scores, the other's hidden.

    Marian looks a letter that is unknown here up in the vocabulary, where it may be the other's.
    """
    scores, lowest = {**dict(model.pieces), **dict.fromkeys(special, 0.0)}, model.lowest
    rest = {token: lowest - UNKNOWN_COSTS for token in ids if len(token) == 1}
    shown = {**rest, **scores}
    ordered = sorted(ids, key=ids.__getitem__)
    return [
        (token, shown[token]) if token in shown else (HIDDEN + token, lowest) for token in ordered
    ]


def _check_ids(ids: Mapping[str, int], model: PieceModel, file: Path) -> None:
    text = zip(model.pieces, model.kinds, strict=True)
    missing = [piece for (piece, _), kind in text if kind == NORMAL and piece not in ids]
    if missing:
        raise WeightsError(
            f"{file}: {len(missing)} of its pieces, as {missing[0]!r}, are not in {VOCABULARY}: "
            "Marian reads them as unknown, which a tokenizer.json cannot do, so it is not converted"
        )


def _vocabulary(file: Path) -> dict[str, int]:
    check_plain(file, limit=SPEC_BYTES)
    with refused_as(WeightsError, f"{file}: is no vocabulary of tokens with their ids"):
        ids = {str(token): int(number) for token, number in json.loads(file.read_text()).items()}
    if sorted(ids.values()) != list(range(len(ids))) or not ids.keys() >= {*SPECIAL}:
        raise WeightsError(
            f"{file}: its ids are not 0 to {len(ids) - 1}, each once, or {', '.join(SPECIAL)} are "
            "not among its tokens"
        )
    return ids
