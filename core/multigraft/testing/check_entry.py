"""Checks of a plugin as a whole: how it enters."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from multigraft.errors import PluginError
from multigraft.plugins import hookspecs
from multigraft.testing import isolation
from multigraft.testing.checks import Skipped
from multigraft.testing.workbench import Subject

ALLOWED_SECONDS = 0.05
TRIES = 3
HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "multigraft_spec")]


def admitted(subject: Subject) -> Iterator[str]:
    """The catalog's own rules, among the in-tree plugins."""
    try:
        subject.bench.admit()
    except PluginError as error:
        yield str(error)


def hooks(subject: Subject) -> Iterator[str]:
    """Check for what the catalog lets pass: arguments pluggy never fills, misspelled hooks."""
    plugin = subject.bench.plugins[-1]
    if not subject.bench.info.hooks:
        yield "it answers no hook, so it does nothing"
    for name in subject.bench.info.hooks:
        for parameter in inspect.signature(getattr(plugin, name)).parameters.values():
            if parameter.default is not inspect.Parameter.empty:
                yield (
                    f"{name} has a default for {parameter.name!r}, so pluggy never fills it: it is "
                    f"always {parameter.default!r}"
                )
    for name in _own_functions(plugin):
        near = get_close_matches(name, HOOKS, n=1, cutoff=0.85)
        if near and name not in HOOKS:
            yield f"{name} is no hook, and nobody calls it; did you mean {near[0]!r}?"


def _own_functions(plugin: Any) -> list[str]:
    """The public functions that a module wrote itself, or the methods of an object."""
    module = getattr(plugin, "__name__", None)
    return [
        name
        for name, value in inspect.getmembers(plugin, callable)
        if not name.startswith("_")
        and (module is None or getattr(value, "__module__", None) == module)
    ]


def light_import(subject: Subject) -> Iterator[str]:
    """Import the entry point's module in processes of its own; the quickest of several counts."""
    module = subject.bench.plugin.module
    if not module:
        raise Skipped("it was handed over as an object, so no import brings it")
    quickest = float("inf")
    answer: dict[str, Any] = {}
    for _ in range(TRIES):
        answer = isolation.ask({"do": "import", "module": module})
        quickest = min(quickest, answer.get("seconds", 0.0))
        if quickest <= ALLOWED_SECONDS or answer.get("heavy"):
            break
    if answer.get("error"):
        yield f"importing {module} in a fresh process: {answer['error']}"
    if answer.get("asked"):
        yield f"importing {module} asks the network for {', '.join(answer['asked'])}"
    if answer.get("heavy"):
        yield f"importing {module} imports {', '.join(answer['heavy'])}"
    if answer.get("changed"):
        yield f"importing {module} changes {', '.join(answer['changed'])} of the whole process"
    if quickest > ALLOWED_SECONDS:
        yield (
            f"importing {module} takes {1000 * quickest:.0f} ms on top of multigraft; "
            f"{1000 * ALLOWED_SECONDS:.0f} are allowed"
        )


def torch_free(subject: Subject) -> Iterator[str]:
    """Import it, and what its tasks give a bundle, where torch does not exist."""
    module = subject.bench.plugin.module
    if not module:
        raise Skipped("it was handed over as an object, so no other process can import it")
    answer = isolation.ask({"do": "read", "module": module})
    if answer.get("error"):
        yield f"in a process without torch: {answer['error']}"
