"""Resolve a recipe: names become objects, and all wrong names and options are told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from multigraft.contracts.options import misfit
from multigraft.contracts.records import (
    Backbone,
    Modality,
    Option,
    Origin,
    Size,
    Strategy,
    Task,
)
from multigraft.errors import RecipeError, UnknownName, did_you_mean
from multigraft.plugins.catalog import Catalog
from multigraft.plugins.rules import SOURCES
from multigraft.recipe import BackboneChoice, Choice, Recipe, check
from multigraft.recipe.branches import branch_problems, branches_of, form_problems, whole_modality
from multigraft.recipe.choices import by_branch
from multigraft.recipe.refused import refused
from multigraft.recipe.resolved import ResolvedBranch, ResolvedRecipe
from multigraft.system.files import expanded

T = TypeVar("T")
SCRATCH = "scratch"


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
        if recipe.data.format not in SOURCES:
            self._look("data.format", lambda: self.catalog.format(recipe.data.format))
        task = self._look("task", lambda: self.catalog.task(recipe.task.name))
        found = {
            branch: self._branch(recipe, branch, choice)
            for branch, choice in recipe.branches.items()
        }
        branches = {name: each for name, each in found.items() if each is not None}
        if task is None or len(branches) < len(found):
            return None
        self.problems += form_problems(
            recipe, {name: each.modality for name, each in branches.items()}
        )
        if recipe.evaluation.probe is not None and task.stage != "pretrain":
            self.problems.append(
                f"evaluation.probe: {task.name!r} learns from its labels; the probe is for tasks "
                "that pretrain"
            )
        if task.dual or task.describes or len(branches) > 1:
            others = [each.name for each in self.catalog.tasks() if each.several]
            self.problems += branch_problems(recipe, task, branches, others)
        for branch, each in branches.items():
            choice = recipe.branches[branch]
            self._fit(task, each.backbone, choice.name)
            self.problems += refused(task, "backbone", choice.options, branch=branch).values()
        gone = refused(task, "task", recipe.task.options)
        self.problems += gone.values()
        own = {name: each for name, each in recipe.task.options.items() if name not in gone}
        return ResolvedRecipe(
            recipe=recipe.in_batches_of(task.batch_size),
            task=task,
            task_options=self._options("task", own, task.options),
            modality=whole_modality(recipe, task, branches),
            branches={
                name: replace(each, reader_options=self._wished(recipe, task, name, each))
                for name, each in branches.items()
            },
        )

    def _branch(self, recipe: Recipe, branch: str, choice: BackboneChoice) -> ResolvedBranch | None:
        """One backbone and its strategies; None where a name is not known."""
        at = f".{branch}" if branch else ""
        chosen = recipe.strategies[branch]
        backbone = self._look(f"backbone{at}", lambda: self.catalog.backbone(choice.name))
        strategies = self._strategies(f"strategy{at}", chosen)
        if backbone is None or len(strategies) < len(chosen):
            return None
        family, size_name, size = backbone
        modality = self._look(f"backbone{at}", lambda: self.catalog.modality(family.modality))
        if modality is None:
            return None
        options = self._options(f"backbone{at}", choice.options, family.options, fill=False)
        origin = Origin(
            backbone=choice.name,
            size=size_name,
            config={**size.config, **options},
            hub=size.hub,
            path=size.path,
        )
        return ResolvedBranch(
            modality=modality,
            reader_options={},
            augment_options=self._augment(recipe, branch, modality),
            backbone=family,
            origin=self._weights(f"backbone{at}", family, origin, choice.weights, branch),
            strategies=tuple(
                (strategy, self._options(f"strategy{at}.{index}", each.options, strategy.options))
                for index, (strategy, each) in enumerate(zip(strategies, chosen, strict=True))
            ),
        )

    def _strategies(self, field: str, choices: Iterable[Choice]) -> list[Strategy]:
        return [
            found
            for index, choice in enumerate(choices)
            if (found := self._look(f"{field}.{index}", _finder(self.catalog, choice.name)))
        ]

    def _wished(
        self, recipe: Recipe, task: Task, branch: str, found: ResolvedBranch
    ) -> dict[str, Any]:
        """The reader's options of one branch, with those that the task cannot do without."""
        given = recipe.reader.get(branch, {}) if branch else recipe.reader
        if not isinstance(given, Mapping):
            self.problems.append(
                f"reader.{branch}: found {given!r}; a mapping of options is needed"
            )
            return {}
        wished = task.reader
        if branch:  # one branch alone need have what is wished
            wished = {name: each for name, each in wished.items() if name in found.modality.options}
        field = f"reader.{branch}" if branch else "reader"
        return self._reader(field, given, replace(task, reader=wished), found.modality)

    def names(self, raw: Mapping[str, Any]) -> None:
        """Check the names in a recipe whose fields are wrong elsewhere."""
        strategies = raw.get("strategy", ())
        listed = [strategies] if isinstance(strategies, str | Mapping) else strategies
        choices = [_choice(item) for item in listed] if isinstance(listed, list | tuple) else []
        named, given = _choice(raw.get("task")), raw.get("backbone")
        task = named and self._look("task", lambda: self.catalog.task(named.name))
        backbone = self._named_backbone("backbone", given)
        if isinstance(given, Mapping) and by_branch(given):
            for branch, each in given.items():
                self._named_backbone(f"backbone.{branch}", each)
        self._strategies("strategy", [choice for choice in choices if choice is not None])
        if task and backbone:
            self._fit(task, backbone[0], str(backbone[0].name))

    def _named_backbone(self, field: str, raw: Any) -> tuple[Backbone, str, Size] | None:
        choice = _choice(raw)
        if choice is None:
            return None
        return self._look(field, lambda: self.catalog.backbone(choice.name))

    def _look(self, field: str, find: Callable[[], T]) -> T | None:
        try:
            return find()
        except UnknownName as error:
            self.problems.append(f"{field}: {error}")
            return None

    def _fit(self, task: Task, family: Backbone, name: str) -> None:
        if task.modalities and family.modality not in task.modalities:
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

    def _reader(
        self, field: str, given: Mapping[str, Any], task: Task, modality: Modality
    ) -> dict[str, Any]:
        for name, value in task.reader.items():
            if name not in modality.options:
                self.problems.append(
                    f"task: {task.name!r} needs the reader option {name!r}, which {modality.name} "
                    "does not have"
                )
            elif given.get(name, value) != value:
                self.problems.append(
                    f"{field}.{name}: found {given[name]!r}; task {task.name!r} needs {value!r}"
                )
        asked = {name: value for name, value in task.reader.items() if name in modality.options}
        return {**asked, **self._options(field, given, modality.options, fill=False)}

    def _augment(self, recipe: Recipe, branch: str, modality: Modality) -> dict[str, Any]:
        """The options of a modality's augmentation; of several branches those that have one get
        it."""
        choice, field = recipe.training.augment, "training.augment"
        if not branch:
            if choice.name != "none" and modality.augment is None:
                self.problems.append(
                    f"{field}: found {choice.name!r}; {modality.name} has no augmentation: use "
                    "'none'"
                )
            return self._options(field, choice.options, modality.augment_options)
        given = choice.options.get(branch, {})
        return self._options(f"{field}.{branch}", given, modality.augment_options)

    def _weights(
        self, field: str, family: Backbone, origin: Origin, weights: str | None, branch: str
    ) -> Origin:
        if weights is None:
            return origin
        if weights == SCRATCH:
            return replace(origin, hub=None, path=None)
        path = expanded(weights)
        if path.exists():
            if (others := branches_of(path)) and branch not in others:
                self.problems.append(
                    f"{field}.weights: {weights!r} is a run of the branches {', '.join(others)}; "
                    f"name the folder of one: {path / 'model' / others[0]}"
                )
            inside = [path / "model" / branch, path / "model"]  # of a run, ours or one of branches
            found = next((each for each in inside if each.is_dir()), path)
            return replace(origin, hub=None, path=found)
        named = weights.count("/") == 1 and not weights.startswith((".", "~", "/"))
        if named and family.opens_hub:
            return replace(origin, hub=weights, path=None)
        self.problems.append(
            f"{field}.weights: found {weights!r}; it should be 'scratch', a file or folder that "
            "exists, the folder of a run"
            + (", or a hub name as 'owner/name'" if family.opens_hub else "")
            + (f"; {family.name!r} opens no hub names" if named else "")
        )
        return origin


def _finder(catalog: Catalog, name: str) -> Callable[[], Strategy]:
    return lambda: catalog.strategy(name)


def _choice(value: Any) -> Choice | None:
    """The choice in a raw field, where its form allows to see one."""
    name = value.get("name") if isinstance(value, Mapping) else value
    return BackboneChoice(name=name) if isinstance(name, str) else None
