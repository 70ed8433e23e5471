"""What a plugin must keep to, checked when it is admitted."""

from __future__ import annotations

from collections.abc import Mapping

import pluggy

from multigraft.contracts.records import Backbone, Modality, Record, Strategy, Task
from multigraft.errors import PluginError

KINDS: Mapping[str, type[Record]] = {
    "modalities": Modality,
    "backbones": Backbone,
    "tasks": Task,
    "strategies": Strategy,
}
MOMENTS = ("step_end", "epoch_end")
"""The hooks that only watch."""


def check_record(hook: str, kind: str, record: object) -> None:
    """Raise PluginError where a hook gave what is no whole record of its kind."""
    wanted = KINDS[kind]
    if isinstance(record, type) and issubclass(record, wanted):
        raise PluginError(f"{hook} gave the class {record.__name__}; did you forget its ()?")
    if not isinstance(record, wanted):
        raise PluginError(
            f"{hook} gave {type(record).__name__}; {wanted.__name__} records are needed"
        )
    if not record.name or not isinstance(record.name, str):
        raise PluginError(f"{hook} gave a {wanted.__name__} without a name")
    for name in record.__dataclass_fields__:
        value, text = getattr(record, name), str(record.__dataclass_fields__[name].type)
        if (
            text.startswith("Callable")
            and not callable(value)
            and not ("None" in text and value is None)
        ):
            raise PluginError(
                f"{hook}: {name} of {record.name!r} must be a function, not {value!r}"
            )


def check_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    """Raise PluginError for what pluggy would pass over: a hook without its marker, a wrapped
    moment."""
    for name in dir(manager.hook):
        function = getattr(plugin, name, None)
        if name.startswith("_") or not callable(function):
            continue
        options = manager.parse_hookimpl_opts(plugin, name)
        if options is None:
            raise PluginError(
                f"{name} is a hook but is not marked; write @multigraft.hookimpl above it"
            )
        if name in MOMENTS and (options["wrapper"] or options["hookwrapper"]):
            raise PluginError(
                f"{name} is a moment to watch, not a verb to wrap; leave out wrapper=True"
            )
