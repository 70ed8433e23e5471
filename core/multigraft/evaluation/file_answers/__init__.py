"""Batch prediction: a table's rows in, a file of answers out, in flat memory; without torch."""

from __future__ import annotations

from multigraft.evaluation.file_answers.answer_file import FileAnswers, predict_file

__all__ = ["FileAnswers", "predict_file"]
