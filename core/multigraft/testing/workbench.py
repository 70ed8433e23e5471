"""Workbench: a plugin among the in-tree ones, with what is made once for all checks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from multigraft.contracts.lazy import Lazy
from multigraft.contracts.reader import Reader
from multigraft.contracts.records import Backbone, Modality, Origin, Record
from multigraft.contracts.samples import Trial
from multigraft.contracts.types import Spec
from multigraft.errors import UnknownName, did_you_mean
from multigraft.plugins.catalog import Catalog
from multigraft.plugins.discovery import installed
from multigraft.plugins.info import PluginInfo, handed_over
from multigraft.testing.checks import Kind, Skipped

T = TypeVar("T")
VALUES = 12
"""Raw values of a modality that are tried."""
OF_KIND: dict[Kind, str] = {
    "modality": "modalities",
    "backbone": "backbones",
    "task": "tasks",
    "strategy": "strategies",
    "format": "formats",
    "explainer": "explainers",
    "filter": "filters",
}


def find_plugin(plugin: object) -> PluginInfo:
    """The installed plugin of that name, or that is this module; else the object itself.

    Raises UnknownName.
    """
    known = installed()
    if isinstance(plugin, str):
        found = next((info for info in known if info.name == plugin), None)
        if found is None:
            meant = did_you_mean(plugin, [info.name for info in known])
            raise UnknownName(f"no plugin {plugin!r} is installed: {meant}")
        return found
    given = handed_over(plugin)
    return next((info for info in known if info.target == given.target), given)


@dataclass
class Bench:
    """The plugin among the in-tree ones, in a folder of its own."""

    plugin: PluginInfo
    """The one that is examined, not loaded."""
    folder: Path
    plugins: tuple[object, ...] = ()
    """The in-tree plugins and, at the end, the one that is examined."""
    catalog: Catalog = field(default_factory=lambda: Catalog(discover=False))
    _made: dict[object, Any] = field(default_factory=dict)

    def admit(self) -> None:
        """Load the plugin and admit it beside the in-tree ones. Raises PluginError or its own."""
        known = [info for info in installed() if info.in_tree and info.name != self.plugin.name]
        others = [info.load() for info in known]
        loaded = self.plugin.load()
        self.catalog = Catalog([*others, loaded], discover=False)
        self.plugins = (*others, loaded)

    @property
    def info(self) -> PluginInfo:
        """Info of the plugin, from the catalog."""
        return self.catalog.plugins[-1]

    def records(self, kind: Kind) -> list[Record]:
        """The plugin's own records of a kind."""
        plural = OF_KIND[kind]
        every: Sequence[Record] = getattr(self.catalog, plural)()
        return [
            record
            for record in every
            if self.catalog.owner(plural, record.name).name == self.info.name
        ]

    def once(self, key: object, make: Callable[[], T]) -> T:
        """Make what ``make`` gives once for this key; what it raises is raised again."""
        if key not in self._made:
            try:
                self._made[key] = partial(_give, make())
            except Exception as error:
                self._made[key] = partial(_raise, error)
        made: T = self._made[key]()
        return made

    def forget(self, key: object) -> None:
        """Drop what was made."""
        self._made.pop(key, None)

    def room(self, *parts: str) -> Path:
        """A folder for a check's files."""
        path = self.folder.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def raws(self, modality: Modality, count: int = VALUES) -> list[Any]:
        """Made-up raw values. Raises Skipped where the modality has no samples."""
        samples = modality.samples
        if samples is None:
            raise Skipped(f"modality {modality.name!r} registers no samples")
        key = ("raws", modality.name, count)
        return self.once(
            key,
            lambda: list(samples.good(np.random.default_rng(0), count, self.room(modality.name))),
        )

    def modality_of(self, record: Backbone) -> Modality:
        """The modality that a backbone reads. Raises UnknownName."""
        return self.catalog.modality(record.modality)

    def reading(self, modality: Modality) -> Reader:
        """A reader of a modality, built as a run builds it. Raises Skipped."""
        return self.once(("reader", modality.name), lambda: modality.reader(self.spec(modality)))

    def spec(self, modality: Modality) -> Spec:
        """Complete a reader's spec, as the modality's first backbone that is found expects."""
        family = next((each for each in self.families() if each.modality == modality.name), None)
        if family is None:
            return self._completed(
                modality, {name: each.default for name, each in modality.options.items()}
            )
        return self.spec_for(family, modality, origin_of(family))

    def spec_for(self, family: Backbone, modality: Modality, origin: Origin) -> Spec:
        """The complete spec of the reader of a backbone."""
        options = {} if family.trial is None else family.trial.reader
        return self._completed(modality, family.reader(origin, options))

    def _completed(self, modality: Modality, spec: Spec) -> Spec:
        return spec if modality.fit is None else modality.fit(self.raws(modality), spec)

    def families(self) -> list[Backbone]:
        """Backbones that can be tried, the plugin's own first."""
        own = [record for record in self.records("backbone") if isinstance(record, Backbone)]
        rest = [family for family in self.catalog.backbones() if family not in own]
        return [family for family in (*own, *rest) if family.sizes or family.trial]


@dataclass(frozen=True)
class Subject:
    """Subject handed to a check."""

    record: Any
    """Record that is tried, of the check's kind; None for a plugin's own checks."""
    bench: Bench


def trial_of(family: Backbone) -> Trial:
    """Choose what of a family is tried. Raises Skipped where it names no size."""
    if family.trial is not None:
        return family.trial
    if not family.sizes:
        raise Skipped("it lists no sizes, and names none to try in trial=mg.Trial(size=...)")
    return Trial(size="tiny" if "tiny" in family.sizes else next(iter(family.sizes)))


def full_name(family: Backbone) -> str:
    """The tried size as a recipe names it."""
    size = trial_of(family).size
    return f"{family.name}-{size}" if size in family.sizes else f"{family.name}/{size}"


def origin_of(family: Backbone, path: Path | None = None) -> Origin:
    """The tried size from scratch, or with the weights in a folder."""
    name = trial_of(family).size
    size = family.sizes.get(name) or (family.find(name) if family.find is not None else None)
    if size is None:
        raise Skipped(f"trial names the size {name!r}, which the family does not have")
    return Origin(backbone=full_name(family), size=name, config=size.config, path=path)


def place_of(function: Any) -> str:
    """Locate a record's function, as ``package.module:name``."""
    if isinstance(function, Lazy):
        return function.target
    inner = inspect.unwrap(function)
    name = getattr(inner, "__qualname__", type(inner).__qualname__)
    return f"{getattr(inner, '__module__', '?')}:{name}"


def _give(value: T) -> T:
    return value


def _raise(error: Exception) -> Any:
    raise error
