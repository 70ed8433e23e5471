"""A damaged SentencePiece file is refused, or still a tokenizer: never anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multigraft.errors import MultigraftError
from multigraft_text.reader import TextReader
from multigraft_text.sentencepiece.folders import converted


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Bytes that were changed, left out or cut off."""
    found = bytearray(content)
    for _ in range(int(rng.integers(1, 8))):
        place, kind = int(rng.integers(len(found))), rng.integers(4)
        if kind == 0:
            found[place] = int(rng.integers(256))
        elif kind == 1:
            found[place] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            del found[place : place + int(rng.integers(1, 20))]
        else:
            del found[place:]
        if not found:
            break
    return bytes(found)


@pytest.mark.parametrize("seed", range(3))
def test_damage_is_named_or_does_no_harm(seed: int, tmp_path: Path, train: Any) -> None:
    content = train(pad_id=0, eos_id=1, unk_id=2, bos_id=-1).serialized_model_proto()
    rng, refused = np.random.default_rng(seed), 0
    spec = {"max_length": 50, "pad_id": 0, "token_types": False, "special": {}}
    for _ in range(40):
        (tmp_path / "spiece.model").write_bytes(damaged(content, rng))
        try:
            made = converted(tmp_path, "t5", {})
            TextReader({**spec, "tokenizer.json": made}).read("the run, na\u00efve \u65e5")
        except MultigraftError:
            refused += 1
    assert refused
