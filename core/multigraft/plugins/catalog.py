"""Plugin catalog: plugins are admitted whole or not at all, their records found by name."""

from __future__ import annotations

import os
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

import pluggy

from multigraft.contracts.explaining import Explainer
from multigraft.contracts.filters import Filter
from multigraft.contracts.formats import Format
from multigraft.contracts.records import Backbone, Modality, Record, Size, Strategy, Task
from multigraft.errors import PluginError, UnknownName, did_you_mean
from multigraft.plugins import builtin, hookspecs
from multigraft.plugins.backbone_names import meant_backbone
from multigraft.plugins.discovery import check_version, installed, noted_signals, unwanted
from multigraft.plugins.info import (
    IN_TREE,
    PluginInfo,
    PluginOff,
    SlowPlugin,
    file_of,
    handed_over,
    names_of,
    reason_of,
)
from multigraft.plugins.rules import KINDS, check_hooks, check_record, refuse_endings
from multigraft.plugins.tracing import Tell, chosen_trace, trace_plugin
from multigraft.system.about import __version__
from multigraft.system.environment import WANTED
from multigraft.system.libraries import switch_off_reports

SLOW_SECONDS = 0.5

R = TypeVar("R", bound=Record)


class Catalog:
    """The admitted plugins and what they registered. Two catalogs share nothing."""

    def __init__(
        self,
        plugins: Sequence[object] = (),
        *,
        discover: bool = True,
        strict: bool = False,
        trace: Tell | None = None,
    ) -> None:
        """Admit the installed plugins (unless ``discover`` is false), then the objects in
        ``plugins``.

        An installed plugin that fails is kept in `plugins` with its error and warned about once;
        one handed over as an object raises PluginError, as does any with ``strict``. The
        environment variable ``MULTIGRAFT_PLUGINS`` names those to load. ``trace`` is told of every
        hook call; unset, ``MULTIGRAFT_TRACE`` has them logged.
        """
        switch_off_reports()  # plugins import what they report with
        self.strict = strict
        self._discover, self._handed = discover, list[object]()
        self._trace = trace or chosen_trace()
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.plugins: list[PluginInfo] = []
        self._records: dict[str, dict[str, tuple[Record, str]]] = {kind: {} for kind in KINDS}
        self._try(PluginInfo("engine", __version__, IN_TREE, lambda: builtin), strict=True)
        if discover:
            found = installed()
            left_out = unwanted(found)
            for info in found:
                if info.name in left_out:
                    self._leave_out(info)
                else:
                    self._try(info, strict=strict)
        for plugin in plugins:
            self.admit(plugin)

    def admit(self, plugin: object) -> PluginInfo:
        """Admit one plugin, or raise PluginError for a broken rule with the catalog unchanged."""
        if isinstance(plugin, type):
            raise PluginError(f"{plugin.__name__} is a class; pass an object: {plugin.__name__}()")
        info, taken = handed_over(plugin), {info.name for info in self.plugins}
        unique = next(name for name in _numbered(info.name) if name not in taken)
        info = self._try(replace(info, name=unique), strict=True)
        self._handed.append(plugin)
        return info

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled, it is the plugins that were handed over; modules by their names."""
        handed = [each.__name__ if isinstance(each, ModuleType) else each for each in self._handed]
        return _again, (handed, self._discover, self.strict)

    def modality(self, name: str) -> Modality:
        """The modality of that name. Raises UnknownName."""
        return self._find("modalities", name, Modality)

    def task(self, name: str) -> Task:
        """The task of that name. Raises UnknownName."""
        return self._find("tasks", name, Task)

    def strategy(self, name: str) -> Strategy:
        """The strategy of that name. Raises UnknownName."""
        return self._find("strategies", name, Strategy)

    def format(self, name: str) -> Format:
        """The file format of that name. Raises UnknownName."""
        return self._find("formats", name, Format)

    def explainer(self, name: str) -> Explainer:
        """The explainer of that name. Raises UnknownName."""
        return self._find("explainers", name, Explainer)

    def filter(self, name: str) -> Filter:
        """The filter of that name. Raises UnknownName."""
        return self._find("filters", name, Filter)

    def backbone(self, name: str) -> tuple[Backbone, str, Size]:
        """Resolve ``timm/resnet50`` to family, size name and size. Raises UnknownName."""
        sized = {
            f"{family.name}-{size}": (family, size, family.sizes[size])
            for family in self.backbones()
            for size in family.sizes
        }
        if name in sized:
            return sized[name]
        family_name, slash, size_name = name.partition("/")
        entry = self._records["backbones"].get(family_name)
        if (
            slash
            and entry is not None
            and isinstance(entry[0], Backbone)
            and entry[0].find is not None
        ):
            found = entry[0].find(size_name)
            if found is not None:
                return entry[0], size_name, found
        raise self._unknown("backbone", name, meant_backbone(name, sized, self.backbones()))

    def backbones(self) -> tuple[Backbone, ...]:
        """Every backbone family."""
        return self._all("backbones", Backbone)

    def tasks(self) -> tuple[Task, ...]:
        """Every task."""
        return self._all("tasks", Task)

    def strategies(self) -> tuple[Strategy, ...]:
        """Every strategy."""
        return self._all("strategies", Strategy)

    def modalities(self) -> tuple[Modality, ...]:
        """Every modality."""
        return self._all("modalities", Modality)

    def formats(self) -> tuple[Format, ...]:
        """Every file format."""
        return self._all("formats", Format)

    def explainers(self) -> tuple[Explainer, ...]:
        """Every way to explain an answer."""
        return self._all("explainers", Explainer)

    def filters(self) -> tuple[Filter, ...]:
        """Every filter."""
        return self._all("filters", Filter)

    def owner(self, kind: str, name: str) -> PluginInfo:
        """The plugin that registered a record; ``kind`` is a key of `KINDS`."""
        plugin = self._records[kind][name][1]
        return next(info for info in self.plugins if info.name == plugin)

    def _all(self, kind: str, record: type[R]) -> tuple[R, ...]:
        return tuple(
            found for found, _ in self._records[kind].values() if isinstance(found, record)
        )

    def _find(self, kind: str, name: str, record: type[R]) -> R:
        entry = self._records[kind].get(name)
        if entry is None or not isinstance(entry[0], record):
            meant = did_you_mean(name, self._records[kind])
            raise self._unknown(record.__name__.lower(), name, meant)
        return entry[0]

    def _unknown(self, noun: str, name: str, meant: str) -> UnknownName:
        lines = [f"unknown {noun} {name!r}: {meant}"]
        lines += [
            f"  plugin {info.name!r} is off: {info.error}" for info in self.plugins if info.error
        ]
        return UnknownName("\n".join(lines))

    def _leave_out(self, info: PluginInfo) -> None:
        why = f"not asked for: {WANTED} is {os.environ[WANTED]!r}"
        self.plugins.append(replace(info, error=why))

    def _try(self, found: PluginInfo, *, strict: bool) -> PluginInfo:
        started = time.perf_counter()
        plugin, brought, caught = self._load(found)
        error, details = None, ""
        if caught is not None:
            error, details = reason_of(caught), "".join(traceback.format_exception(caught))
            if strict:
                raise PluginError(f"plugin {found.name!r}: {error}") from caught
            warnings.warn(f"plugin {found.name!r} is off: {error}", PluginOff, stacklevel=4)
        seconds = time.perf_counter() - started
        if seconds > SLOW_SECONDS:
            warnings.warn(
                f"plugin {found.name!r} took {seconds:.1f} s to import; it should import "
                "heavy libraries only when they are used",
                SlowPlugin,
                stacklevel=4,
            )
        info = replace(
            found,
            brings=names_of(brought),
            seconds=seconds,
            error=error,
            file=file_of(plugin),
            hooks=self._hooks(plugin),
            details=details,
        )
        self.plugins.append(info)
        return info

    def _load(
        self, info: PluginInfo
    ) -> tuple[object | None, dict[str, list[Record]], BaseException | None]:
        """The plugin, what it brings, and what it raised; a person's Ctrl-C alone is raised on."""
        plugin: object | None = None
        with noted_signals() as heard:
            try:
                plugin = info.load()
                return plugin, self._register(plugin, info.name), None
            except BaseException as caught:  # a test's skip and Rust's panic are no Exception
                if heard and isinstance(caught, KeyboardInterrupt):
                    raise
                if plugin is not None and self.manager.is_registered(plugin):
                    self.manager.unregister(plugin)
                return plugin, {}, caught

    def _register(self, plugin: object, name: str) -> dict[str, list[Record]]:
        check_version(plugin)
        check_hooks(self.manager, plugin)
        if self.manager.register(plugin, name) is None:
            raise PluginError("is blocked")
        self.manager.check_pending()
        brought = {kind: self._collect(plugin, kind) for kind in KINDS}
        for kind, records in brought.items():
            self._records[kind].update({record.name: (record, name) for record in records})
        if self._trace is not None:
            trace_plugin(self.manager, plugin, self._trace)
        return brought

    def _hooks(self, plugin: object | None) -> tuple[str, ...]:
        callers = self.manager.get_hookcallers(plugin) if plugin is not None else None
        return tuple(sorted(caller.name for caller in callers or ()))

    def _collect(self, plugin: object, kind: str) -> list[Record]:
        """Ask one plugin for one kind of record, and check each."""
        hook = getattr(self.manager.hook, f"register_{kind}")
        others = [other for other in self.manager.get_plugins() if other is not plugin]
        answers = self.manager.subset_hook_caller(hook.name, others)()
        records: list[Record] = []
        for record in (record for answer in answers for record in answer):
            check_record(hook.name, kind, record)
            self._refuse_clash(kind, record, records)
            records.append(record)
        return records

    def _refuse_clash(self, kind: str, record: Record, siblings: Sequence[Record]) -> None:
        noun = KINDS[kind].__name__.lower()
        if record.name in self._records[kind]:
            owner = self._records[kind][record.name][1]
            raise PluginError(f"{noun} {record.name!r} is already registered by plugin {owner!r}")
        if any(record.name == other.name for other in siblings):
            raise PluginError(f"{noun} {record.name!r} is registered twice")
        if isinstance(record, Format):
            known = [*self._records[kind].values(), *((other, "") for other in siblings)]
            refuse_endings(record, known)


def _again(handed: Sequence[object], discover: bool, strict: bool) -> Catalog:
    plugins = [import_module(each) if isinstance(each, str) else each for each in handed]
    return Catalog(plugins, discover=discover, strict=strict)


def _numbered(name: str) -> Iterator[Any]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1
