"""Plan of a preparation: its steps as objects, in passes between which duplicates are found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from multigraft.contracts.filters import Filter, Judge
from multigraft.contracts.options import misfit
from multigraft.contracts.records import Likeness, Modality
from multigraft.data.prepare.fields import Preparation, StepChoice, check_fields
from multigraft.errors import DataError, MissingDependency, RecipeError, UnknownName, did_you_mean
from multigraft.plugins.catalog import Catalog
from multigraft.plugins.rules import SOURCES
from multigraft.recipe.choices import named


@dataclass(frozen=True)
class Step:
    """One filter as a recipe asks for it."""

    number: int
    """Its place among all steps, from 0."""
    filter: Filter
    options: Mapping[str, Any]
    column: str
    modality: Modality
    """Of its values."""

    @property
    def name(self) -> str:
        """As ``gopher-words``."""
        return self.filter.name

    def judge(self) -> Judge:
        """The function that judges one value; it may hold a model. Raises DataError, and what a
        filter's own code does, as MissingDependency."""
        assert self.filter.judge is not None
        return self.filter.judge(self.options)

    def likeness(self) -> Likeness:
        """How this step finds duplicates."""
        assert self.filter.likeness is not None
        return self.filter.likeness(self.options, self.modality)


@dataclass(frozen=True)
class Pass:
    """One reading of all rows: steps that judge rows, and the one that finds duplicates behind
    them, if any."""

    number: int
    steps: tuple[Step, ...]
    duplicates: Step | None
    columns: tuple[str, ...]
    """That its steps look at; of the first pass those of all steps, since rows in which one is
    empty are left out at once."""


@dataclass(frozen=True)
class Plan:
    """A recipe that was checked: nothing in it is wrong before data are read."""

    recipe: Preparation
    modality: Modality
    steps: tuple[Step, ...]
    catalog: Catalog

    @property
    def passes(self) -> tuple[Pass, ...]:
        """The steps as they are gone through: a pass ends with a step that finds duplicates."""
        return tuple(_passes(self.steps))

    def notes(self) -> list[str]:
        """What its steps say that a person should know of them."""
        told = ((step.filter.notes, step.options) for step in self.steps)
        found = (note for notes, options in told if notes is not None for note in notes(options))
        return list(dict.fromkeys(found))


def read_plan(raw: Any, catalog: Catalog, source: str = "recipe") -> Plan:
    """Check a raw recipe whole. Raises RecipeError with every problem in it."""
    recipe, problems = check_fields(raw)
    finder = _Finder(catalog, problems)
    if recipe is None:
        finder.names(raw)
        raise RecipeError(problems, source=source)
    modality, steps = finder.found(recipe)
    if problems or modality is None:
        raise RecipeError(problems, source=source)
    return Plan(recipe, modality, tuple(steps), catalog)


class _Finder:
    """Looks names up and gathers what is wrong instead of stopping at it."""

    def __init__(self, catalog: Catalog, problems: list[str]) -> None:
        self.catalog = catalog
        self.problems = problems

    def found(self, recipe: Preparation) -> tuple[Modality | None, list[Step]]:
        """The modality and the steps of a recipe whose fields are right."""
        modality = self._modality("modality", recipe.modality)
        if recipe.format not in SOURCES:
            try:
                self.catalog.format(recipe.format)
            except UnknownName as error:
                self.problems.append(f"format: {error}")
        steps: list[Step] = []
        for at, choice in enumerate(recipe.steps):
            steps += self._steps(f"steps.{at}", choice, recipe.modality, len(steps))
        return modality, steps

    def names(self, raw: Any) -> None:
        """Check the steps of a recipe whose fields are wrong elsewhere."""
        listed = raw.get("steps", ()) if isinstance(raw, Mapping) else ()
        listed = [listed] if isinstance(listed, str | Mapping) else listed
        for at, each in enumerate(listed if isinstance(listed, list | tuple) else ()):
            try:
                choice = StepChoice.model_validate(named(each))
            except ValidationError:  # told already
                continue
            list(self._steps(f"steps.{at}", choice, "", 0))

    def _modality(self, field: str, name: str) -> Modality | None:
        try:
            return self.catalog.modality(name)
        except UnknownName as error:
            self.problems.append(f"{field}: {error}")
            return None

    def _steps(self, field: str, choice: StepChoice, own: str, first: int) -> Iterator[Step]:
        filters = self._filters(field, choice.name)
        if len(filters) > 1 and choice.options:
            self.problems.append(
                f"{field}: {choice.name!r} is a group of filters, which takes no options; name "
                f"those of its filters that need some: {', '.join(each.name for each in filters)}"
            )
            return
        for place, each in enumerate(filters):
            name = each.modality or own
            modality = self._modality(field, name) if name else None
            told = len(self.problems)
            options = self._options(field, choice.options, each)
            if modality is None:
                continue
            step = Step(
                first + place, each, options, choice.column or modality.columns[0], modality
            )
            if len(self.problems) == told:
                self._try(field, step)
            yield step

    def _try(self, field: str, step: Step) -> None:
        """Make the step's function once, which tells what is wrong with its options together."""
        try:
            _ = step.judge() if step.filter.likeness is None else step.likeness()
        except (DataError, MissingDependency) as error:
            self.problems.append(f"{field}: {error}")

    def _filters(self, field: str, name: str) -> Sequence[Filter]:
        """The filter of that name, or all of that group."""
        every = self.catalog.filters()
        found = [each for each in every if each.name == name]
        found = found or [each for each in every if name in each.groups]
        if not found:
            known = {each.name for each in every} | {group for f in every for group in f.groups}
            off = [
                f"\n  plugin {info.name!r} is off: {info.error}"
                for info in self.catalog.plugins
                if info.error
            ]
            self.problems.append(
                f"{field}: unknown filter {name!r}: {did_you_mean(name, known)}{''.join(off)}"
            )
        return found

    def _options(self, field: str, given: Mapping[str, Any], record: Filter) -> dict[str, Any]:
        options = {name: option.default for name, option in record.options.items()}
        for name, value in given.items():
            if name not in record.options:
                self.problems.append(
                    f"{field}.{name}: no such option of {record.name!r}; "
                    f"{did_you_mean(name, [*record.options, 'column'])}"
                )
            elif problem := misfit(value, record.options[name]):
                self.problems.append(f"{field}.{name}: found {value!r}; {problem}")
            else:
                options[name] = value
        return options


def _passes(steps: Sequence[Step]) -> Iterator[Pass]:
    judged: list[Step] = []
    number = 0
    for step in steps:
        if step.filter.likeness is None:
            judged.append(step)
            continue
        yield Pass(number, tuple(judged), step, _columns([*judged, step] if number else steps))
        number, judged = number + 1, []
    if judged or not number:
        yield Pass(number, tuple(judged), None, _columns(judged))


def _columns(steps: Sequence[Step]) -> tuple[str, ...]:
    return tuple(sorted({step.column for step in steps}))
