"""A row's own tokens, without those that the tokenizer puts around a text."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from multigraft.contracts.types import Arrays, Spec
from multigraft_text.seq2seq.targets import written_frame


@dataclass(frozen=True)
class Frame:
    """How many tokens stand in front of a text and behind it, and what ends one that is written."""

    front: int
    back: int
    end: int

    @classmethod
    def of(cls, spec: Spec, *, end: int) -> Frame:
        """The frame of an encoder-decoder's tokenizer."""
        content = spec["tokenizer.json"]
        around = Tokenizer.from_str(json.dumps(content)).num_special_tokens_to_add(is_pair=False)
        front = len(written_frame(content, spec["special"]["eos_token"])["first"])
        return cls(front, around - front, end)

    def tokens(self, row: Arrays) -> np.ndarray:
        """The tokens of a row's text, int64 [T]."""
        ids = row["input_ids"]
        found: np.ndarray = ids[self.front : len(ids) - self.back]
        return found

    def learned(self, row: Arrays, source: np.ndarray, target: np.ndarray) -> Arrays:
        """The row with ``source`` in the place of its text, and ``target`` with its end as
        ``labels``."""
        ids = row["input_ids"]
        behind = ids[len(ids) - self.back :]
        read = np.concatenate([ids[: self.front], source, behind]).astype(ids.dtype)
        labels = np.append(target, self.end).astype(np.int64)
        return {**row, "input_ids": read, "attention_mask": np.ones_like(read), "labels": labels}
