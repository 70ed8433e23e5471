"""Settings that say nothing to a task: named, with the reason, where a recipe has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multigraft.contracts.records import Task


def refused(
    task: Task, section: str, given: Mapping[str, Any], *, branch: str = ""
) -> dict[str, str]:
    """What is wrong with each setting of a ``section`` that `Task.refused` names, alone or with its
    value; None asks for nothing."""
    at = f"{section}.{branch}" if branch else section
    return {
        name: f"{at}.{name}: found {value!r}; task {task.name!r}: {why}"
        for name, value in given.items()
        for key in (f"{section}.{name}", f"{section}.{name}={value}")
        if value is not None and (why := task.refused.get(key))
    }
