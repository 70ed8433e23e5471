"""Plugin info: what the catalog knows of a plugin, and why one is off."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from multigraft.contracts.records import Backbone, Record
from multigraft.errors import PluginError
from multigraft.plugins.rules import changed_since


class SlowPlugin(UserWarning):
    """A plugin whose import costs every command time."""


class PluginOff(UserWarning):
    """A plugin that was not admitted."""


@dataclass(frozen=True)
class PluginInfo:
    """One plugin as `multigraft plugins` shows it."""

    name: str
    version: str
    origin: str
    """The distribution it came with, or where it was handed over."""
    brings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seconds: float = 0.0
    error: str | None = None
    """Why it is off; None: it is on."""
    target: str = ""
    """What its entry point names, as ``package.module``."""
    file: str = ""
    """Where its code lies."""
    hooks: tuple[str, ...] = ()
    """The hooks it answers."""
    details: str = ""
    """The traceback behind ``error``."""


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
