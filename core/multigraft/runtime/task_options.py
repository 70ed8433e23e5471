"""Options of a bundle's task, as its run had them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multigraft.contracts.options import defaults, misfit
from multigraft.contracts.records import Task
from multigraft.errors import BundleError
from multigraft.runtime.bundle import Bundle
from multigraft.runtime.manifest import TASK_OPTIONS


def tells_options(bundle: Bundle) -> bool:
    """Whether a bundle says what its task's options were; those of earlier versions do where it
    rewrites rows."""
    return isinstance(bundle.facts.get(TASK_OPTIONS), Mapping)


def task_options(bundle: Bundle, task: Task) -> dict[str, Any]:
    """The options, defaults filled in. Raises BundleError for a value that the task does not allow:
    anybody may have written the manifest."""
    told = bundle.facts[TASK_OPTIONS] if tells_options(bundle) else {}
    found = defaults(task.options)
    for name, option in task.options.items():
        value = told.get(name, option.default)
        if value != option.default and (problem := misfit(value, option)):
            raise BundleError(
                f"the bundle says {name}: {value!r} of task {task.name!r}; {problem}; export the "
                "run again"
            )
        found[name] = value
    return found
