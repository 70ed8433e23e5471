"""Answers that are a vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.types import Answer, Spec


class Embedding(Answers):
    """The pooled features: the graph gives ``embedding`` [D]."""

    def __init__(self, targets: Spec) -> None:
        del targets

    def answer(self, raw: Any, windows: Sequence[Window], asked: Mapping[str, Any]) -> Answer:
        """The numbers as a list."""
        return {"embedding": windows[0].outputs["embedding"].tolist()}
