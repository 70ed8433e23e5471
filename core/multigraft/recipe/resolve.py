"""Resolve a recipe: names become objects, and all wrong names and options are told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from multigraft.contracts.options import misfit
from multigraft.contracts.records import Backbone, Modality, Option, Origin, Strategy, Task
from multigraft.errors import RecipeError, UnknownName, did_you_mean
from multigraft.plugins.catalog import Catalog
from multigraft.recipe import AugmentChoice, BackboneChoice, Choice, Recipe, check
from multigraft.system.files import expanded

T = TypeVar("T")
SCRATCH = "scratch"


@dataclass(frozen=True, kw_only=True)
class ResolvedRecipe:
    """A recipe and what its names stand for, with every option filled in."""

    recipe: Recipe
    task: Task
    task_options: Mapping[str, Any]
    modality: Modality
    reader_options: Mapping[str, Any]
    """Only those that the recipe sets: the others follow the weights."""
    augment_options: Mapping[str, Any]
    backbone: Backbone
    origin: Origin
    strategies: tuple[tuple[Strategy, Mapping[str, Any]], ...]

    def anchored(self) -> ResolvedRecipe:
        """The same with whole paths, which a change of the working folder does not move."""
        return replace(self, recipe=self.recipe.anchored())


def read_recipe(
    raw: Mapping[str, Any], catalog: Catalog, *, source: str = "recipe"
) -> ResolvedRecipe:
    """Check a raw recipe against its fields and against what is registered.

    Raises RecipeError with every problem of both kinds.
    """
    recipe, problems = check(raw)
    finder = _Finder(catalog, problems)
    resolved = finder.resolved(recipe) if recipe is not None else None
    if recipe is None and isinstance(raw, Mapping):
        finder.names(raw)
    if recipe is None or resolved is None or problems:
        raise RecipeError(problems, source=source)
    return resolved


def resolve(recipe: Recipe, catalog: Catalog, *, source: str = "recipe") -> ResolvedRecipe:
    """The objects behind a recipe that was parsed before. Raises RecipeError with every problem."""
    problems: list[str] = []
    resolved = _Finder(catalog, problems).resolved(recipe)
    if resolved is None or problems:
        raise RecipeError(problems, source=source)
    return resolved


class _Finder:
    """Looks names up and gathers what is wrong instead of stopping at it."""

    def __init__(self, catalog: Catalog, problems: list[str]) -> None:
        self.catalog = catalog
        self.problems = problems

    def resolved(self, recipe: Recipe) -> ResolvedRecipe | None:
        """The objects behind a recipe whose fields are right; None where a name is not known."""
        task, backbone, strategies = self._lookups(recipe.task, recipe.backbone, recipe.strategy)
        if task is None or backbone is None or len(strategies) < len(recipe.strategy):
            return None
        family, size_name, size = backbone
        modality = self._look("backbone", lambda: self.catalog.modality(family.modality))
        if modality is None:
            return None
        self._fit(task, family, recipe.backbone.name)
        options = self._options("backbone", recipe.backbone.options, family.options, fill=False)
        origin = Origin(
            backbone=recipe.backbone.name,
            size=size_name,
            config={**size.config, **options},
            hub=size.hub,
        )
        return ResolvedRecipe(
            recipe=recipe,
            task=task,
            task_options=self._options("task", recipe.task.options, task.options),
            modality=modality,
            reader_options=self._reader(recipe.reader, task, modality),
            augment_options=self._augment(recipe.training.augment, modality),
            backbone=family,
            origin=self._weights(origin, recipe.backbone.weights),
            strategies=tuple(
                (strategy, self._options(f"strategy.{index}", choice.options, strategy.options))
                for index, (strategy, choice) in enumerate(
                    zip(strategies, recipe.strategy, strict=True)
                )
            ),
        )

    def names(self, raw: Mapping[str, Any]) -> None:
        """Check the names in a recipe whose fields are wrong elsewhere."""
        strategies = raw.get("strategy", ())
        listed = [strategies] if isinstance(strategies, str | Mapping) else strategies
        choices = [_choice(item) for item in listed] if isinstance(listed, list | tuple) else []
        task, backbone, _ = self._lookups(
            _choice(raw.get("task")),
            _choice(raw.get("backbone")),
            [c for c in choices if c is not None],
        )
        if task is not None and backbone is not None:
            self._fit(task, backbone[0], str(backbone[0].name))

    def _lookups(
        self, task: Choice | None, backbone: Choice | None, strategies: Any
    ) -> tuple[Any, Any, Any]:
        return (
            task and self._look("task", lambda: self.catalog.task(task.name)),
            backbone and self._look("backbone", lambda: self.catalog.backbone(backbone.name)),
            [
                found
                for index, choice in enumerate(strategies)
                if (found := self._look(f"strategy.{index}", _finder(self.catalog, choice.name)))
            ],
        )

    def _look(self, field: str, find: Callable[[], T]) -> T | None:
        try:
            return find()
        except UnknownName as error:
            self.problems.append(f"{field}: {error}")
            return None

    def _fit(self, task: Task, family: Backbone, name: str) -> None:
        if family.modality not in task.modalities:
            fitting = [
                other.name
                for other in self.catalog.tasks()
                if family.modality in other.modalities and other.stage == task.stage
            ]
            self.problems.append(
                f"task: {task.name!r} is for {', '.join(task.modalities)}, but backbone {name!r} "
                f"reads {family.modality}; allowed: "
                f"{', '.join(sorted(fitting)) or 'no task of this stage'}"
            )

    def _options(
        self,
        field: str,
        given: Mapping[str, Any],
        allowed: Mapping[str, Option],
        *,
        fill: bool = True,
    ) -> dict[str, Any]:
        """The options given, checked; with ``fill``, the defaults of the others too."""
        options = {name: option.default for name, option in allowed.items()} if fill else {}
        for name, value in given.items():
            if name not in allowed:
                self.problems.append(
                    f"{field}.{name}: no such option; {did_you_mean(name, allowed)}"
                )
            elif problem := misfit(value, allowed[name]):
                self.problems.append(f"{field}.{name}: found {value!r}; {problem}")
            else:
                options[name] = float(value) if isinstance(allowed[name].default, float) else value
        return options

    def _reader(self, given: Mapping[str, Any], task: Task, modality: Modality) -> dict[str, Any]:
        """The reader's options, with those that the task cannot do without."""
        for name, value in task.reader.items():
            if name not in modality.options:
                self.problems.append(
                    f"task: {task.name!r} needs the reader option {name!r}, which {modality.name} "
                    "does not have"
                )
            elif given.get(name, value) != value:
                self.problems.append(
                    f"reader.{name}: found {given[name]!r}; task {task.name!r} needs {value!r}"
                )
        asked = {name: value for name, value in task.reader.items() if name in modality.options}
        return {**asked, **self._options("reader", given, modality.options, fill=False)}

    def _augment(self, choice: AugmentChoice, modality: Modality) -> dict[str, Any]:
        if choice.name != "none" and modality.augment is None:
            self.problems.append(
                f"training.augment: found {choice.name!r}; {modality.name} has no augmentation: "
                "use 'none'"
            )
        return self._options("training.augment", choice.options, modality.augment_options)

    def _weights(self, origin: Origin, weights: str | None) -> Origin:
        if weights is None:
            return origin
        if weights == SCRATCH:
            return replace(origin, hub=None)
        path = expanded(weights)
        if path.exists():
            model = path / "model"
            return replace(origin, hub=None, path=model if model.is_dir() else path)
        if weights.count("/") == 1 and not weights.startswith((".", "~", "/")):
            return replace(origin, hub=weights)
        self.problems.append(
            f"backbone.weights: found {weights!r}; it should be 'scratch', a file or folder that "
            "exists, the folder of a run, or a hub name as 'owner/name'"
        )
        return origin


def _finder(catalog: Catalog, name: str) -> Callable[[], Strategy]:
    return lambda: catalog.strategy(name)


def _choice(value: Any) -> Choice | None:
    """The choice in a raw field, where its form allows to see one."""
    name = value.get("name") if isinstance(value, Mapping) else value
    return BackboneChoice(name=name) if isinstance(name, str) else None
