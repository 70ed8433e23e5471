"""Folders of weights whose tokenizer is a SentencePiece file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multigraft.errors import WeightsError
from multigraft_text.sentencepiece.conversion import tokenizer_json
from multigraft_text.sentencepiece.kinds import KINDS
from multigraft_text.sentencepiece.marian import SOURCE, marian_json
from multigraft_text.sentencepiece.model_file import read_pieces

ENDINGS = (".model", ".spm")


def converted(folder: Path, kind: object, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The tokenizer.json of the SentencePiece file in a folder of a model type; None where there is
    no such file.

    Raises WeightsError where it cannot be made exactly.
    """
    files = sorted(path.name for path in folder.iterdir() if path.name.endswith(ENDINGS))
    if not files:
        return None
    if kind == "marian" and SOURCE in files:
        return marian_json(folder, SOURCE)
    name, layout = KINDS.get(str(kind), (None, None))
    if layout is None or name not in files:
        raise WeightsError(
            f"{folder}: holds no tokenizer.json, and {files[0]} of a {kind!r} is not converted: "
            f"that is exact for {', '.join((*KINDS, 'marian'))} alone, by their files' names; "
            "copy the tokenizer.json that belongs to these weights into it"
        )
    model = read_pieces(folder / name)
    return tokenizer_json(layout(model, settings, str(kind)), model)
