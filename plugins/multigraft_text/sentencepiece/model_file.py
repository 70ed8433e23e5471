"""A SentencePiece file (Kudo and Richardson 2018): its pieces, and how a text is normalized."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multigraft.contracts.readers import SPEC_BYTES
from multigraft.errors import WeightsError, refused_as
from multigraft.system.files import check_plain

UNIGRAM = 1
NORMAL, UNKNOWN, CONTROL, OWN, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
"""The types of pieces; `OWN` ones were given by whoever trained the file, and are found first."""
SPACE = "\u2581"
HIDDEN = "\0"
"""In front of a piece that no text may be cut into: no text that is read holds it."""


@dataclass(frozen=True)
class PieceModel:
    """The pieces of a file with their scores, in the order of its ids."""

    file: Path
    pieces: tuple[tuple[str, float], ...]
    kinds: tuple[int, ...]
    unknown: int
    charsmap: bytes
    """How characters are normalized; empty: not at all."""

    @property
    def bytes(self) -> bool:
        """Whether what is unknown is written as its bytes."""
        return BYTE in self.kinds

    @property
    def control(self) -> list[str]:
        """The pieces that are no text."""
        shown = (CONTROL, UNKNOWN)
        every = zip(self.pieces, self.kinds, strict=True)
        return [piece for (piece, _), kind in every if kind in shown]

    @property
    def letters(self) -> frozenset[str]:
        """Every letter of a piece of text."""
        every = zip(self.pieces, self.kinds, strict=True)
        text = (piece for (piece, _), kind in every if kind in (NORMAL, OWN))
        return frozenset("".join(text))

    @property
    def lowest(self) -> float:
        """The lowest score of a piece of text."""
        every = zip(self.pieces, self.kinds, strict=True)
        return min(score for (_, score), kind in every if kind == NORMAL)


def read_pieces(file: Path) -> PieceModel:
    """What a file holds. Raises WeightsError where a tokenizer.json could not do the same."""
    proto = _parsed(file)
    if why := _inexact(proto):
        raise WeightsError(
            f"{file}: {why}, which a tokenizer.json cannot do exactly, so it is not converted; "
            "copy the tokenizer.json that belongs to these weights beside it, or use other weights"
        )
    kinds = tuple(piece.type for piece in proto.pieces)
    highest = max(piece.score for piece in proto.pieces if piece.type == NORMAL)
    lowest = min(piece.score for piece in proto.pieces if piece.type == NORMAL)
    return PieceModel(
        file=file,
        pieces=tuple(_piece(piece, lowest, highest) for piece in proto.pieces),
        kinds=kinds,
        unknown=kinds.index(UNKNOWN),
        charsmap=proto.normalizer_spec.precompiled_charsmap,
    )


def _parsed(file: Path) -> Any:
    from transformers.convert_slow_tokenizer import import_protobuf

    check_plain(file, limit=SPEC_BYTES)
    with refused_as(WeightsError, f"{file}: is no SentencePiece file"):
        return import_protobuf().ModelProto.FromString(file.read_bytes())


def _inexact(proto: Any) -> str | None:
    """What of a file has no equal in a tokenizer.json, in words."""
    trained, rule = proto.trainer_spec, proto.normalizer_spec
    kinds = [piece.type for piece in proto.pieces]
    reasons = {
        "holds no piece of text, or no unknown piece": kinds.count(UNKNOWN) != 1
        or NORMAL not in kinds,
        "is no Unigram model but a BPE, of words or of characters": trained.model_type != UNIGRAM,
        "puts spaces behind words": trained.treat_whitespace_as_suffix,
        "keeps runs of spaces": not rule.remove_extra_whitespaces,
        "begins texts without a space": not rule.add_dummy_prefix,
        "does not mark spaces": not rule.escape_whitespaces,
        "cuts pieces across words": any(SPACE in piece.piece[1:] for piece in proto.pieces),
    }
    return next((reason for reason, found in reasons.items() if found), None)


def _piece(piece: Any, lowest: float, highest: float) -> tuple[str, float]:
    """A piece as a Unigram of `tokenizers` has to hold it, with its score."""
    if piece.type == UNUSED:
        return HIDDEN + piece.piece, lowest
    if piece.type == OWN:
        return piece.piece, max(lowest, len(piece.piece) * highest - 0.1)
    if piece.type == BYTE:
        return piece.piece, lowest
    return piece.piece, piece.score
