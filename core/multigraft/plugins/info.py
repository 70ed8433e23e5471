"""Plugin info: where a plugin comes from, how it is loaded, and what came of that."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import ModuleType
from typing import Any

from multigraft.contracts.records import Backbone, Record
from multigraft.errors import PluginError
from multigraft.plugins.rules import changed_since

IN_TREE = "multigraft"
"""The distribution of the plugins that come with us."""


class SlowPlugin(UserWarning):
    """A plugin whose import costs every command time."""


class PluginOff(UserWarning):
    """A plugin that was not admitted."""


@dataclass(frozen=True)
class PluginInfo:
    """One plugin, as it is found; once it was loaded, with what it brings or why it is off."""

    name: str
    version: str
    origin: str
    """The distribution it came with, or that it was handed over."""
    load: Callable[[], object] = field(repr=False, compare=False)
    """Imports it."""
    brings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seconds: float = 0.0
    error: str | None = None
    """Why it is off; None: it is on."""
    target: str = ""
    """``package.module`` of its entry point, or of a module handed over; else empty."""
    file: str = ""
    """Where its code lies."""
    hooks: tuple[str, ...] = ()
    """The hooks it answers."""
    details: str = ""
    """The traceback behind ``error``."""

    @property
    def in_tree(self) -> bool:
        """Whether it comes with multigraft itself."""
        return self.origin == IN_TREE

    @property
    def module(self) -> str:
        """The module that another process can import it from; empty for an object."""
        return self.target.partition(":")[0]

    def facts(self) -> dict[str, Any]:
        """All that can be said of it, for JSON."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "load"}


def handed_over(plugin: object) -> PluginInfo:
    """The info of an object or a module that is given to us as a plugin."""
    name = str(getattr(plugin, "__name__", None) or type(plugin).__name__)
    target = name if isinstance(plugin, ModuleType) else ""
    return PluginInfo(name, "", "handed over", lambda: plugin, target=target)


def names_of(brought: Mapping[str, Sequence[Record]]) -> dict[str, tuple[str, ...]]:
    return {kind: tuple(_shown(records)) for kind, records in brought.items() if records}


def _shown(records: Sequence[Record]) -> Iterator[str]:
    for record in records:
        if isinstance(record, Backbone):
            yield from (f"{record.name}-{size}" for size in record.sizes)
            if record.find is not None:
                yield f"{record.name}/..."
        else:
            yield record.name


def file_of(plugin: object | None) -> str:
    """Name, in short, the file of a plugin's code: a module's, or an object's class's."""
    module = sys.modules.get(type(plugin).__module__) if not hasattr(plugin, "__file__") else plugin
    found = getattr(module, "__file__", None)
    return "" if plugin is None or found is None else str(Path(found))


def reason_of(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it called sys.exit({'' if error.code is None else repr(error.code)})"
    if told := changed_since(error):
        return told
    name, text = type(error).__name__, str(error)
    if isinstance(error, PluginError | ImportError) or not text:
        return text or name
    return f"{name}: {text}"
