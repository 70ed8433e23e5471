"""Answers that are texts which a model writes: any text, a summary, a translation, a caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.types import Answer, Spec
from multigraft.errors import BundleError
from multigraft.runtime.answers.text_scores.bleu import bleu_counts, corpus_bleu
from multigraft.runtime.answers.text_scores.chrf import chrf_counts, corpus_chrf
from multigraft.runtime.answers.text_scores.error_rate import (
    characters,
    edit_counts,
    error_rate,
    words,
)
from multigraft.runtime.answers.text_scores.rouge import ROUGE, rouge_scores


class Text(Answers):
    """``{"text": ..., "tokens": [...], "ended": ...}``, as a `Generator` writes it.

    Judged by the column ``target``: the share that is equal to it but for space at the ends, and
    the error rates of characters and of words.
    """

    column = "target"

    def __init__(self, targets: Spec) -> None:
        del targets

    def answer(self, raw: Any, windows: Sequence[Window], asked: Mapping[str, Any]) -> Answer:
        """Raises BundleError: there is no graph whose outputs are a text."""
        raise BundleError("texts are written token by token, and this bundle has no decoder")

    def score(self, answer: Answer, row: Mapping[str, Any]) -> Mapping[str, np.ndarray | float]:
        """Whether a text is the wanted one, and counts [4] of its edits."""
        said, wanted = answer["text"], row[self.column]
        return {
            "exact": float(said.strip() == wanted.strip()),
            "characters": edit_counts(characters(said), characters(wanted)),
            "words": edit_counts(words(said), words(wanted)),
        }

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """Exact match, and error rates of all texts together."""
        return {
            "exact_match": float(kept["exact"].mean()),
            "cer": error_rate(kept["characters"].sum(0)),
            "wer": error_rate(kept["words"].sum(0)),
        }

    def right(self, kept: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """The texts that are the wanted one; None where that is not asked, as of a summary."""
        return kept["exact"] > 0 if "exact" in kept else None


class Summary(Text):
    """The same, judged by ROUGE with the column ``summary``."""

    column = "summary"

    def score(self, answer: Answer, row: Mapping[str, Any]) -> Mapping[str, np.ndarray | float]:
        """F of ROUGE-1, ROUGE-2 and ROUGE-L, [3]."""
        return {"rouge": rouge_scores(answer["text"], row[self.column])}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """Means over the rows, by the names of `ROUGE`."""
        return dict(zip(ROUGE, kept["rouge"].mean(0).tolist(), strict=True))


class Translation(Text):
    """The same, judged by BLEU and chrF with the column ``target``."""

    def score(self, answer: Answer, row: Mapping[str, Any]) -> Mapping[str, np.ndarray | float]:
        """Counts [5, 2] of BLEU, and [6, 3] of chrF."""
        said, wanted = answer["text"], row[self.column]
        return {"bleu": bleu_counts(said, wanted), "chrf": chrf_counts(said, wanted)}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """Both of the rows together, 0 to 100."""
        return {
            "bleu": corpus_bleu(kept["bleu"].sum(0)),
            "chrf": corpus_chrf(kept["chrf"].sum(0)),
        }


class Caption(Translation):
    """The same, judged by BLEU, chrF and ROUGE with the column ``caption``."""

    column = "caption"

    def score(self, answer: Answer, row: Mapping[str, Any]) -> Mapping[str, np.ndarray | float]:
        """Counts [5, 2] of BLEU, [6, 3] of chrF, and F of each ROUGE, [3]."""
        rouge = rouge_scores(answer["text"], row[self.column])
        return {**super().score(answer, row), "rouge": rouge}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """BLEU and chrF of the rows together, 0 to 100; means of ROUGE, 0 to 1."""
        rouge = dict(zip(ROUGE, kept["rouge"].mean(0).tolist(), strict=True))
        return {**super().summarise(kept), **rouge}
