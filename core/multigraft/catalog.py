"""Who brings what: plugins are admitted whole or not at all, and their records are found by name."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

import pluggy

from multigraft import builtin, hookspecs
from multigraft.__about__ import __version__
from multigraft.errors import PluginError, UnknownName, did_you_mean
from multigraft.records import Backbone, Modality, Record, Size, Strategy, Task

GROUP = "multigraft"
IN_TREE = "multigraft"
SLOW_SECONDS = 0.5

KINDS: Mapping[str, type[Record]] = {
    "modalities": Modality,
    "backbones": Backbone,
    "tasks": Task,
    "strategies": Strategy,
}
R = TypeVar("R", bound=Record)


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


@dataclass(frozen=True)
class _Candidate:
    name: str
    version: str
    origin: str
    load: Callable[[], object]


class Catalog:
    """The admitted plugins and what they registered. Two catalogs share nothing."""

    def __init__(
        self, plugins: Sequence[object] = (), *, discover: bool = True, strict: bool = False
    ) -> None:
        """Admit the installed plugins (unless ``discover`` is false), then the objects in ``plugins``.

        An installed plugin that fails is kept in `plugins` with its error and warned about once; one handed
        over as an object raises PluginError, as does any with ``strict``.
        """
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.plugins: list[PluginInfo] = []
        self._records: dict[str, dict[str, tuple[Record, str]]] = {kind: {} for kind in KINDS}
        self._try(_Candidate("engine", __version__, IN_TREE, lambda: builtin), strict=True)
        if discover:
            for candidate in _installed():
                self._try(candidate, strict=strict)
        for plugin in plugins:
            self.admit(plugin)

    def admit(self, plugin: object) -> PluginInfo:
        """Admit one plugin object. Raises PluginError, the catalog unchanged, where it breaks a rule."""
        if isinstance(plugin, type):
            raise PluginError(f"{plugin.__name__} is a class; pass an object: {plugin.__name__}()")
        name = getattr(plugin, "__name__", None) or type(plugin).__name__
        taken = {info.name for info in self.plugins}
        unique = next(n for n in _numbered(str(name)) if n not in taken)
        return self._try(_Candidate(unique, "", "handed over", lambda: plugin), strict=True)

    def modality(self, name: str) -> Modality:
        """The modality of that name. Raises UnknownName."""
        return self._find("modalities", name, Modality)

    def task(self, name: str) -> Task:
        """The task of that name. Raises UnknownName."""
        return self._find("tasks", name, Task)

    def strategy(self, name: str) -> Strategy:
        """The strategy of that name. Raises UnknownName."""
        return self._find("strategies", name, Strategy)

    def backbone(self, name: str) -> tuple[Backbone, str, Size]:
        """The family, size name and size behind ``bert-tiny`` or ``timm/resnet50``. Raises UnknownName."""
        sized = {
            f"{family.name}-{size}": (family, size, family.sizes[size])
            for family in self.backbones()
            for size in family.sizes
        }
        if name in sized:
            return sized[name]
        family_name, slash, size_name = name.partition("/")
        entry = self._records["backbones"].get(family_name)
        if slash and entry is not None and isinstance(entry[0], Backbone) and entry[0].find is not None:
            found = entry[0].find(size_name)
            if found is not None:
                return entry[0], size_name, found
        raise self._unknown("backbone", name, sized)

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

    def owner(self, kind: str, name: str) -> PluginInfo:
        """The plugin that registered a record; ``kind`` is a key of `KINDS`."""
        plugin = self._records[kind][name][1]
        return next(info for info in self.plugins if info.name == plugin)

    def _all(self, kind: str, record: type[R]) -> tuple[R, ...]:
        return tuple(found for found, _ in self._records[kind].values() if isinstance(found, record))

    def _find(self, kind: str, name: str, record: type[R]) -> R:
        entry = self._records[kind].get(name)
        if entry is None or not isinstance(entry[0], record):
            raise self._unknown(record.__name__.lower(), name, self._records[kind])
        return entry[0]

    def _unknown(self, noun: str, name: str, allowed: Iterable[str]) -> UnknownName:
        lines = [f"unknown {noun} {name!r}: {did_you_mean(name, allowed)}"]
        lines += [f"  plugin {info.name!r} is off: {info.error}" for info in self.plugins if info.error]
        return UnknownName("\n".join(lines))

    def _try(self, candidate: _Candidate, *, strict: bool) -> PluginInfo:
        started = time.perf_counter()
        plugin: object | None = None
        try:
            plugin = candidate.load()
            brought = self._register(plugin, candidate.name)
            error = None
        except Exception as caught:
            if plugin is not None and self.manager.is_registered(plugin):
                self.manager.unregister(plugin)
            brought, error = {}, _reason(caught)
            if strict:
                raise PluginError(f"plugin {candidate.name!r}: {error}") from caught
            warnings.warn(f"plugin {candidate.name!r} is off: {error}", PluginOff, stacklevel=4)
        seconds = time.perf_counter() - started
        if seconds > SLOW_SECONDS:
            warnings.warn(
                f"plugin {candidate.name!r} took {seconds:.1f} s to import; "
                "it should import heavy libraries only when they are used",
                SlowPlugin,
                stacklevel=4,
            )
        info = PluginInfo(
            candidate.name, candidate.version, candidate.origin, _names(brought), seconds, error
        )
        self.plugins.append(info)
        return info

    def _register(self, plugin: object, name: str) -> dict[str, list[Record]]:
        _refuse_foreign_hooks(self.manager, plugin)
        if self.manager.register(plugin, name) is None:
            raise PluginError("is blocked")
        self.manager.check_pending()
        brought = {kind: self._collect(plugin, kind) for kind in KINDS}
        for kind, records in brought.items():
            self._records[kind].update({record.name: (record, name) for record in records})
        return brought

    def _collect(self, plugin: object, kind: str) -> list[Record]:
        """Ask one plugin for one kind of record, and check each."""
        hook = getattr(self.manager.hook, f"register_{kind}")
        others = [other for other in self.manager.get_plugins() if other is not plugin]
        answers = self.manager.subset_hook_caller(hook.name, others)()
        records: list[Record] = []
        for record in (record for answer in answers for record in answer):
            _refuse_foreign_record(hook.name, kind, record)
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


def _installed() -> list[_Candidate]:
    """The installed plugins: in-tree first, then by name."""
    found = [_candidate(entry) for entry in entry_points(group=GROUP)]
    return sorted(found, key=lambda candidate: (candidate.origin != IN_TREE, candidate.name))


def _candidate(entry: EntryPoint) -> _Candidate:
    distribution = entry.dist
    return _Candidate(
        name=entry.name,
        version="" if distribution is None else distribution.version,
        origin="" if distribution is None else distribution.name,
        load=entry.load,
    )


def _refuse_foreign_record(hook: str, kind: str, record: object) -> None:
    wanted = KINDS[kind]
    if isinstance(record, type) and issubclass(record, wanted):
        raise PluginError(f"{hook} gave the class {record.__name__}; did you forget its ()?")
    if not isinstance(record, wanted):
        raise PluginError(f"{hook} gave {type(record).__name__}; {wanted.__name__} records are needed")
    if not record.name or not isinstance(record.name, str):
        raise PluginError(f"{hook} gave a {wanted.__name__} without a name")
    for name in record.__dataclass_fields__:
        value, text = getattr(record, name), str(record.__dataclass_fields__[name].type)
        if text.startswith("Callable") and not callable(value) and not ("None" in text and value is None):
            raise PluginError(f"{hook}: {name} of {record.name!r} must be a function, not {value!r}")


def _refuse_foreign_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    """Find what pluggy would pass over: a hook's name without its marker."""
    for name in dir(manager.hook):
        function = getattr(plugin, name, None)
        if name.startswith("_") or not callable(function):
            continue
        if manager.parse_hookimpl_opts(plugin, name) is None:
            raise PluginError(f"{name} is a hook but is not marked; write @multigraft.hookimpl above it")


def _names(brought: Mapping[str, Sequence[Record]]) -> dict[str, tuple[str, ...]]:
    return {kind: tuple(_shown(records)) for kind, records in brought.items() if records}


def _shown(records: Sequence[Record]) -> Iterator[str]:
    for record in records:
        if isinstance(record, Backbone):
            yield from (f"{record.name}-{size}" for size in record.sizes)
            if record.find is not None:
                yield f"{record.name}/..."
        else:
            yield record.name


def _reason(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text if isinstance(error, PluginError | ImportError) else f"{type(error).__name__}: {text}"


def _numbered(name: str) -> Iterator[Any]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1
