"""Admission rules: what a plugin must keep to, checked when it is admitted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import pluggy

from multigraft.contracts.answers import NAMES
from multigraft.contracts.explaining import Explainer
from multigraft.contracts.filters import Filter
from multigraft.contracts.formats import Format
from multigraft.contracts.records import Backbone, Modality, Record, Strategy, Task
from multigraft.contracts.units import UNIT_KINDS
from multigraft.errors import PluginError, did_you_mean

KINDS: Mapping[str, type[Record]] = {
    "modalities": Modality,
    "backbones": Backbone,
    "tasks": Task,
    "strategies": Strategy,
    "formats": Format,
    "filters": Filter,
    "explainers": Explainer,
}
SOURCES = ("auto", "folder", "hub")
"""What ``data.format`` may be besides a format's name."""
ENDING = re.compile(r"\.[a-z0-9_-]+")
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
    if isinstance(record, Task):
        _check_answers(hook, record)
    if isinstance(record, Modality) and record.branches:
        raise PluginError(
            f"{hook} gave {record.name!r} with branches; register each modality by itself, a "
            "recipe puts them side by side"
        )
    if isinstance(record, Format):
        _check_endings(hook, record)
    if isinstance(record, Filter):
        _check_filter(hook, record)
    if isinstance(record, Explainer):
        _check_kinds(hook, record)


def _check_kinds(hook: str, record: Explainer) -> None:
    for kind in record.kinds:
        if kind not in UNIT_KINDS:
            raise PluginError(
                f"{hook}: {record.name!r} weighs {kind!r}; {did_you_mean(kind, UNIT_KINDS)}"
            )


def _check_filter(hook: str, record: Filter) -> None:
    if (record.judge is None) == (record.likeness is None):
        raise PluginError(
            f"{hook}: {record.name!r} needs either judge, for values one by one, or likeness, for "
            "duplicates among them"
        )
    if "column" in record.options:
        raise PluginError(
            f"{hook}: {record.name!r} has an option 'column', which every step has: call it "
            "otherwise"
        )


def _check_endings(hook: str, record: Format) -> None:
    if record.name in SOURCES:
        raise PluginError(f"{hook}: {record.name!r} is no name for a format: it means another one")
    for ending in record.endings:
        if not isinstance(ending, str) or not ENDING.fullmatch(ending):
            raise PluginError(
                f"{hook}: endings of {record.name!r} are written in lower case with their dot, as "
                f"'.conll', not {ending!r}"
            )


def _check_answers(hook: str, task: Task) -> None:
    told = task.answers
    if isinstance(told, str) and told not in NAMES:
        raise PluginError(
            f"{hook}: task {task.name!r} wants the answers {told!r}: {did_you_mean(told, NAMES)}"
        )
    if told is not None and not isinstance(told, str) and not callable(told):
        raise PluginError(
            f"{hook}: answers of {task.name!r} must be a name or a function, not {told!r}"
        )


def refuse_endings(record: Format, known: Iterable[tuple[Record, str]]) -> None:
    """Raise PluginError where another format, given with its plugin, has one of the endings."""
    for other, owner in known:
        both = set(record.endings) & set(other.endings) if isinstance(other, Format) else set()
        if both:
            whose = f" of plugin {owner!r}" if owner else ""
            raise PluginError(
                f"format {record.name!r}: files ending in {min(both)!r} are those of format "
                f"{other.name!r}{whose}"
            )


FORMER = dict.fromkeys(
    ("decode", "merge"),
    "Task.decode and Task.merge became Task.answers, one object that sees whole rows and is "
    "what metrics may be computed from; docs/plugins/hooks.md, register_tasks, shows it",
)
"""Fields that a record of an earlier version had, and what took their place."""


def changed_since(error: BaseException) -> str | None:
    """What changed, where a plugin written for an earlier version gives a field that is gone."""
    gone = re.search(r"Task\.__init__\(\) .* keyword argument '(\w+)'", str(error))
    if not isinstance(error, TypeError) or gone is None:
        return None
    told = FORMER.get(gone[1])
    return told and f"it was written for an earlier multigraft: {told}"


def check_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    """Raise PluginError for what pluggy lets pass: a hook without marker, a wrapped moment."""
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
