"""Search space: ranges, choices and conditions of a recipe's fields, as a grid says them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from multigraft.experiments.values import Choice, Combination, choices_of, is_value, several
from multigraft.recipe import Section
from multigraft.system.validation import short

Number = int | float


def _listed(value: Any) -> Any:
    return {"choices": value} if isinstance(value, list) else value


class Dimension(Section):
    """What a field is drawn from: a range from ``low`` to ``high``, or ``choices``."""

    low: Number | None = None
    high: Number | None = None
    """Both ends belong to the range; of two whole numbers, whole numbers are drawn."""
    log: bool = False
    """Drawn evenly by its logarithm, as learning rates are."""
    step: Number | None = None
    """Between two values of the range; unset: any, and 1 between whole numbers."""
    choices: list[Any] | dict[str, Any] | None = None
    """Values, or names of values; a list may stand for ``{choices: [...]}``."""
    when: dict[str, Any] = Field(default_factory=dict)
    """Only where these have one of these values, as ``{strategy: lora}``: fields that stand before
    this one, or that vary."""

    @property
    def whole(self) -> bool:
        """Whether whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def options(self) -> list[Choice]:
        """Its choices; empty for a range."""
        return choices_of(self.choices or [])

    @property
    def ends(self) -> list[Choice]:
        """What stands for all of it in a check: every choice, or both ends of the range."""
        return self.options or choices_of([self.low, self.high])

    def active(self, chosen: Combination) -> bool:
        """Whether the field is drawn beside what was chosen before it."""
        return all(
            name in chosen and any(is_value(chosen[name], value) for value in several(wanted))
            for name, wanted in self.when.items()
        )


class Search(Section):
    """A search for the best values of some fields, by the validation rows."""

    space: dict[str, Annotated[Dimension, BeforeValidator(_listed)]]
    """Field of a recipe -> what it is drawn from, as ``{training.learning_rate: {low: 1e-5, high:
    1e-2, log: true}, strategy: [lora, bitfit], strategy.rank: {low: 2, high: 32, when: {strategy:
    lora}}}``."""
    trials: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Runs in which values are tried, for each combination of what varies but the seed."""
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    """How values are drawn: by what did well before (Bergstra et al. 2011), by chance, or all of
    them in turn."""
    pruner: Literal["median", "hyperband", "none"] = "median"
    """When a trial ends early: where it is worse than the median of others at its epoch, by
    Hyperband (Li et al. 2018), or never."""
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    """Of the draws; trials are trained with the recipe's seed."""
    storage: str | None = None
    """Optuna's storage, as SQLAlchemy writes its address; unset: SQLite in the experiment's
    folder."""


def space_problems(search: Search, vary: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a search, in lines."""
    if not search.space:
        yield "search.space: holds no field; name one at least, or leave search out"
    for place, (name, each) in enumerate(search.space.items()):
        at = f"search.space.{name}"
        if name in vary:
            yield f"{at}: varies too; leave it out of vary, or out of the search"
        if name == "seed":
            yield f"{at}: a seed that is chosen is luck; give seeds in vary"
        if name.partition(".")[0] == "data":
            yield f"{at}: other data have other validation rows, which cannot be compared; vary it"
        yield from _range_problems(at, each)
        yield from _condition_problems(at, each, [*search.space][:place], search, vary)
        endless = not each.choices and not each.whole and each.step is None
        if search.sampler == "grid" and endless and each.low is not None:
            yield f"{at}: the sampler grid tries every value; give a step, or choices"


def _range_problems(at: str, each: Dimension) -> Iterator[str]:
    if (each.choices is None) == (each.low is None) or (each.low is None) != (each.high is None):
        yield f"{at}: give low and high, or choices"
        return
    if each.choices is not None:
        labels = [choice.label for choice in each.options]
        if len(set(labels)) < max(len(labels), 1):
            yield f"{at}.choices: {short(labels)} holds no value, or one twice"
        return
    assert each.low is not None
    assert each.high is not None
    if each.low >= each.high:
        yield f"{at}: low is {each.low} and high {each.high}; low must be less"
    if each.log and each.low <= 0:
        yield f"{at}.log: low is {each.low}; a logarithm needs more than 0"
    if each.step is not None and (each.step <= 0 or each.log):
        yield f"{at}.step: found {each.step}; more than 0, and not beside log"


def _condition_problems(
    at: str, each: Dimension, before: Sequence[str], search: Search, vary: Mapping[str, Any]
) -> Iterator[str]:
    for name, wanted in each.when.items():
        if name in before:
            known = search.space[name].options
        elif name in vary:
            known = choices_of(vary[name])
        else:
            allowed = ", ".join([*before, *vary]) or "none"
            yield f"{at}.when.{name}: allowed are fields that stand before it or vary: {allowed}"
            continue
        odd = [value for value in several(wanted) if not any(is_value(one, value) for one in known)]
        if odd and known:
            labels = ", ".join(choice.label for choice in known)
            yield f"{at}.when.{name}: found {short(odd[0])}; allowed: {labels}"


def examples(search: Search, base: Combination) -> Iterator[Combination]:
    """What checks every end and choice of every field once, beside the first of all others."""
    yield _example(search, base, {})
    for name, each in search.space.items():
        for choice in each.ends[1:] if not each.when else each.ends:
            wanted = _needed(search, name)
            yield _example(search, base, {**wanted, name: choice})


def _needed(search: Search, name: str) -> dict[str, Choice]:
    """What other fields must be for a field to be drawn."""
    found: dict[str, Choice] = {}
    for other, wanted in search.space[name].when.items():
        if other in search.space:
            options = search.space[other].options
            fits = (one for one in options if is_value(one, several(wanted)[0]))
            found |= {**_needed(search, other), other: next(fits)}
    return found


def _example(search: Search, base: Combination, wanted: Combination) -> Combination:
    chosen = dict(base)
    for name, each in search.space.items():
        if each.active(chosen):
            chosen[name] = wanted.get(name, each.ends[0])
    return chosen
