"""How a text is to be written: the settings of one call, checked at the edge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypedDict, cast, get_args

from multigraft.errors import GenerationError, did_you_mean
from multigraft.runtime.asking import is_whole

Method = Literal["greedy", "beam", "sample"]
Stop = str | int | Sequence[str | int]
ONLY: dict[str, Method] = {
    "beams": "beam",
    "length_penalty": "beam",
    "temperature": "sample",
    "top_k": "sample",
    "top_p": "sample",
    "seed": "sample",
}
"""The settings that belong to one method."""


class Asked(TypedDict, total=False):
    """What a caller may set; `Settings` explains each. None is as good as unset."""

    max_new_tokens: int
    method: Method
    beams: int
    length_penalty: float
    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float
    no_repeat_ngram: int
    seed: int
    stop: Stop
    batch_size: int | None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How texts are written. Make it with `settings`, which checks."""

    max_new_tokens: int = 64
    """Fewer where the model holds no more."""
    method: Method = "greedy"
    """``greedy`` takes the most likely token, ``beam`` the most likely text found, ``sample``
    draws."""
    beams: int = 4
    """How many texts beam search keeps."""
    length_penalty: float = 1.0
    """A text's score is its log-likelihood over its length to this power: more of it favours long
    texts."""
    temperature: float = 1.0
    """Below 1 the likely tokens are drawn more often still."""
    top_k: int | None = None
    """Draw among so many tokens."""
    top_p: float = 1.0
    """Draw among the likeliest tokens that together have this probability (Holtzman et al.
    2020)."""
    repetition_penalty: float = 1.0
    """Above 1 makes tokens that the prompt or the text holds less likely (Keskar et al. 2019)."""
    no_repeat_ngram: int = 0
    """So many tokens in a row are not written twice in a text, its prompt counted (Paulus et al.
    2018); 0: any may be."""
    seed: int = 0
    """The same seed draws the same texts, whatever prompts stand beside a prompt in its batch."""
    stop: tuple[str | int, ...] = ()
    """Texts and token ids that end a text besides the model's own; a text that ends it is cut
    off."""
    batch_size: int = 32
    """How many prompts are continued together."""


def completed(asked: Asked, defaults: Mapping[str, Any]) -> Asked:
    """What is asked with the model's own ``defaults``, but for those of another method.

    >>> completed({"method": "greedy"}, {"method": "beam", "beams": 4, "max_new_tokens": 9})
    {'max_new_tokens': 9, 'method': 'greedy'}
    """
    given = {name: value for name, value in asked.items() if value is not None}
    method = given.get("method", defaults.get("method", "greedy"))
    kept = {
        name: value
        for name, value in defaults.items()
        if name != "method" and ONLY.get(name, method) == method
    }
    return cast("Asked", {**kept, "method": method, **given})


def settings(asked: Asked) -> Settings:
    """The settings, defaults filled in. Raises GenerationError with every mistake."""
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    names = [field.name for field in fields(Settings)]
    problems = [
        f"{name}: no such setting; {did_you_mean(name, names)}"
        for name in given
        if name not in names
    ]
    method = given.get("method", "greedy")
    if method not in get_args(Method):
        problems.append(f"method: found {method!r}; {did_you_mean(str(method), get_args(Method))}")
    problems += [
        f"{name}: belongs to method={only!r}, and the method is {method!r}"
        for name, only in ONLY.items()
        if name in given and method != only
    ]
    problems += [problem for name, value in given.items() if (problem := _misfit(name, value))]
    if problems:
        raise GenerationError(
            "\n".join(["this text cannot be written:", *(f"  {p}" for p in problems)])
        )
    stops = (stop if isinstance(stop, str) else int(stop) for stop in _stops(given.get("stop", ())))
    return Settings(**{**given, "stop": tuple(stops)})


def _misfit(name: str, value: Any) -> str | None:
    """What is wrong with one value, or None."""
    if name == "stop":
        return _wrong_stop(value)
    checks = [check for check in _CHECKS if name in check[0]]
    wrong = next((allowed for _, fits, allowed in checks if not fits(value)), None)
    return None if wrong is None else f"{name}: found {value!r}; it should be {wrong}"


def _wrong_stop(value: Any) -> str | None:
    wrong = [
        stop
        for stop in _stops(value)
        if stop == "" or not (isinstance(stop, str) or is_whole(stop))
    ]
    return f"stop: found {wrong[0]!r}; it should be a text or a token's id" if wrong else None


def _stops(value: Any) -> tuple[Any, ...]:
    """One stop, or each of many."""
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
    )


_CHECKS: tuple[tuple[tuple[str, ...], Callable[[Any], bool], str], ...] = (
    (
        ("max_new_tokens", "beams", "top_k", "batch_size"),
        lambda value: is_whole(value) and value >= 1,
        "a whole number from 1",
    ),
    (
        ("seed", "no_repeat_ngram"),
        lambda value: is_whole(value) and value >= 0,
        "a whole number from 0",
    ),
    (
        ("repetition_penalty",),
        lambda value: _is_number(value) and value > 0,
        "a number above 0",
    ),
    (
        ("temperature",),
        lambda value: _is_number(value) and 1e-6 <= value <= 1e6,
        "a number from 1e-06, which is all but greedy, to 1e+06",
    ),
    (
        ("top_p",),
        lambda value: _is_number(value) and 0 < value <= 1,
        "a number above 0, and at most 1",
    ),
    (
        ("length_penalty",),
        lambda value: _is_number(value) and abs(value) <= 10,
        "a number from -10 to 10",
    ),
)
"""(settings, whether a value fits, what would)."""
