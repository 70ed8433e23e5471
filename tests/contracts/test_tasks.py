"""What a task's record refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multigraft.models.tasks import classification_task


@pytest.mark.parametrize(
    "changed", [{"columns": ("tag",)}, {"files": ("mask",)}, {"stratify": "kind"}]
)
def test_stratify_and_files_are_columns_of_the_task(changed: dict[str, Any]) -> None:
    task = classification_task("series-tags", "series")
    with pytest.raises(
        ValueError, match="task 'series-tags': stratify, writes and files name columns"
    ):
        replace(task, **changed)
