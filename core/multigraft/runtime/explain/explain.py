"""Explaining a value: the explainer is found, asked, and what it says is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from multigraft.contracts.answers import Answers, ExplainedNumber, explains
from multigraft.contracts.explaining import Attribution, Explainer
from multigraft.contracts.options import defaults, misfit
from multigraft.contracts.types import Answer
from multigraft.errors import PluginError, PredictError, did_you_mean
from multigraft.runtime.explain.explanation import Explanation
from multigraft.runtime.explain.faithfulness import measure_faithfulness
from multigraft.runtime.explain.subject import RowSubject, none_and_all

USUAL = "occlusion"


@dataclass(frozen=True)
class Way:
    """How a person wants values explained: an explainer with its options, checked."""

    explainer: Explainer
    options: Mapping[str, Any] = field(default_factory=dict)
    of: str | None = None
    """The label, or the number of a regression; None: the one that is answered."""
    faithfulness: bool = False
    """Whether it is measured how faithful it is."""
    seed: int = 0


def way_of(
    explainers: Sequence[Explainer],
    method: str,
    options: Mapping[str, Any],
    *,
    gradients: bool,
    of: Any = None,
    faithfulness: bool = False,
    seed: Any = 0,
) -> Way:
    """How a person wants values explained.

    Raises PredictError for a method or an option that there is not, where one needs gradients that
    are not there, and for what is no name of a label and no seed.
    """
    known = {each.name: each for each in explainers}
    if not isinstance(method, str) or method not in known:
        raise PredictError(f"there is no explainer {method!r}; {did_you_mean(str(method), known)}")
    explainer = known[method]
    if explainer.gradients and not gradients:
        others = sorted(each.name for each in explainers if not each.gradients)
        raise PredictError(
            f"{method!r} asks for gradients, which a bundle does not have: explain the run, or a "
            f"bundle by {', '.join(others)}"
        )
    checked = _checked(explainer, options)
    return Way(explainer, checked, _label(of), bool(faithfulness), _whole(seed))


def _label(of: Any) -> str | None:
    """The name of what is explained; labels may be numbers, and are asked for as such then."""
    if of is None:
        return None
    if not isinstance(of, str | int | float | np.generic) or of == "":
        raise PredictError(f"of is {of!r}; it should be the name of a label, or of a number")
    return str(of)


def _whole(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise PredictError(f"seed is {seed!r}; it should be a whole number, 0 or more")
    return int(seed)


def shared_options(
    explainers: Sequence[Explainer], methods: Sequence[str], options: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The options of each method among those of all. Raises PredictError for one that none has."""
    known = {each.name: each.options for each in explainers}
    if not methods:
        raise PredictError(f"no explainer is named; allowed: {', '.join(sorted(known))}")
    own = {method: known.get(method, {}) for method in map(str, methods)}
    taken = {name for each in own.values() for name in each}
    for name in options:
        if name not in taken:
            told = did_you_mean(name, taken) if taken else "there are none"
            raise PredictError(f"no explainer of {', '.join(methods)} has option {name!r}; {told}")
    return {
        method: {name: value for name, value in options.items() if name in each}
        for method, each in own.items()
    }


def _checked(explainer: Explainer, options: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in options.items():
        if name not in explainer.options:
            told = did_you_mean(name, explainer.options) if explainer.options else "it has none"
            raise PredictError(f"explainer {explainer.name!r} has no option {name!r}; {told}")
        if problem := misfit(value, explainer.options[name]):
            raise PredictError(f"{name} is {value!r}; {problem}")
    return {**defaults(explainer.options), **options}


def number_of(answers: Answers, answer: Answer, of: str | None, *, task: str) -> ExplainedNumber:
    """What is explained of an answer. Raises PredictError where no one number is."""
    if not explains(answers):
        raise PredictError(refusal(task))
    return answers.explained(answer, of)


def refusal(task: str) -> str:
    """Why answers of a task are not explained."""
    return (
        f"answers of task {task!r} cannot be explained: an explanation is of one number, the "
        "probability of a label or what a regression answers, and such an answer is not one; "
        "explain a model of classification, of several labels, or of regression"
    )


def explained(
    subject: RowSubject,
    way: Way,
    answer: Answer,
    *,
    precision: str = "",
    answered: float | None = None,
) -> Explanation:
    """Explain one value by one method; ``answered`` is the number of the answer, where another
    graph gave it than the one that explains, of that ``precision``.

    Raises PredictError where the method does not weigh its kind of units, PluginError where it
    gives no weight for each.
    """
    _refuse_kinds(subject, way.explainer)
    started = time.perf_counter()
    attribution = _weighed(subject, way)
    value, hidden = subject.scores(none_and_all(subject.count)).tolist()
    calls, seconds = subject.calls, time.perf_counter() - started
    weights = np.asarray(attribution.weights, dtype=np.float64)
    measured = (
        measure_faithfulness(subject, weights, seed=subject.seed) if way.faithfulness else None
    )
    return Explanation(
        method=way.explainer.name,
        of=subject.number_in.name,
        value=value if answered is None else answered,
        hidden=hidden,
        answer=answer,
        units=subject.units,
        weights=weights,
        calls=calls,
        seconds=seconds,
        told=attribution.told,
        faithfulness=measured,
        precision=precision,
        explained_value=None if answered is None else value,
    )


def _refuse_kinds(subject: RowSubject, explainer: Explainer) -> None:
    for units in subject.units.values():
        if explainer.kinds and units.kind not in explainer.kinds:
            raise PredictError(
                f"{explainer.name!r} weighs {' and '.join(explainer.kinds)}, and this value has "
                f"{units.kind}; choose another method"
            )


def _weighed(subject: RowSubject, way: Way) -> Attribution:
    explain = cast("Callable[..., object]", way.explainer.explain)
    found = explain(subject, way.options)
    if not isinstance(found, Attribution):
        raise PluginError(
            f"explainer {way.explainer.name!r} gave {type(found).__name__}; mg.Attribution is "
            "needed"
        )
    weights = np.asarray(found.weights)
    if weights.shape != (subject.count,) or not np.isfinite(weights).all():
        raise PluginError(
            f"explainer {way.explainer.name!r} gave weights {list(weights.shape)}; a finite number "
            f"for each of {subject.count} units is needed"
        )
    return found
