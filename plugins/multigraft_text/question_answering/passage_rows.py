"""Rows with a question, a passage and its answers, without torch; the metrics are those of the
answers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from multigraft import RowBrief, RowObjective
from multigraft.contracts.report import Baseline
from multigraft.runtime.answers.extraction import ANSWERABLE


class PassageRows(RowObjective):
    """Rows of questions, some of which may have no answer."""

    monitor = "f1"
    greater_is_better = True

    def __init__(self, brief: RowBrief) -> None:
        self.brief = brief
        self.unanswerable = bool(brief.targets["unanswerable"])

    def baseline(self, kept: Mapping[str, np.ndarray]) -> Baseline | None:
        """The F1 of never answering, where questions may be without an answer."""
        if not self.unanswerable:
            return None
        share = float(1 - kept["answers"][:, ANSWERABLE].mean())
        return Baseline("f1", share, "always saying that there is no answer")
