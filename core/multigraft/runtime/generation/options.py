"""How a text is to be written: the settings of one call, checked at the edge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypedDict, cast, get_args

from multigraft.contracts.options import misfit
from multigraft.contracts.records import Option
from multigraft.errors import GenerationError, did_you_mean
from multigraft.runtime.asking import is_whole, plain

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
MOST_TOKENS, MOST_BEAMS, MOST_ROWS = 2**16, 64, 1024
"""Of a text, of a search, of a batch: work and memory grow with each."""
MOST_STOPS, LONGEST_STOP = 16, 256
"""Stops, and characters of one: they are looked for behind every token."""


def _option(*types: type, help: str, **bounds: Any) -> Option:
    """A setting that is unset until somebody asks for it."""
    return Option(default=None, types=types, help=help, **bounds)


ASKS: Mapping[str, Option] = {
    "max_new_tokens": _option(
        int, low=1, high=MOST_TOKENS, help="tokens that are written of a text, at most"
    ),
    "method": _option(
        str,
        choices=get_args(Method),
        help="greedy: the likeliest token; beam: the likeliest text found; sample: drawn tokens",
    ),
    "beams": _option(int, low=1, high=MOST_BEAMS, help="texts that beam search keeps"),
    "length_penalty": _option(
        int, float, low=-10, high=10, help="of beam search: more of it favours long texts"
    ),
    "temperature": _option(
        int,
        float,
        low=1e-6,
        high=1e6,
        help="of samples: below 1 likely tokens are drawn more often",
    ),
    "top_k": _option(int, low=1, help="of samples: draw among so many tokens"),
    "top_p": _option(
        int,
        float,
        low=1e-12,
        high=1,
        help="of samples: draw among the likeliest that together have this probability",
    ),
    "repetition_penalty": _option(
        int, float, low=1e-6, high=1e6, help="above 1 makes what was said before less likely"
    ),
    "no_repeat_ngram": _option(
        int, low=0, high=64, help="so many tokens in a row are not written twice; 0: any may be"
    ),
    "seed": _option(int, low=0, high=2**63 - 1, help="of samples: the same seed, the same texts"),
    "stop": _option(
        str, int, list, tuple, help="a text or a token's id that ends a text, or several"
    ),
}
"""What a caller may ask of the texts that a bundle writes; unset, they are as the bundle says."""
BATCH_SIZE = _option(int, low=1, high=MOST_ROWS, help="prompts that are continued together")


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
    given: dict[str, Any] = {
        name: plain(value) for name, value in asked.items() if value is not None
    }
    given["stop"] = _stops(given.get("stop", ()))
    names = [field.name for field in fields(Settings)]
    problems = [
        f"{name}: no such setting; {did_you_mean(name, names)}"
        for name in given
        if name not in names
    ]
    method = given.get("method", "greedy")
    problems += [
        f"{name}: belongs to method={only!r}, and the method is {method!r}"
        for name, only in ONLY.items()
        if name in given and method != only and method in get_args(Method)
    ]
    problems += [problem for name, value in given.items() if (problem := _misfit(name, value))]
    if problems:
        raise GenerationError(
            "\n".join(["this text cannot be written:", *(f"  {p}" for p in problems)])
        )
    stops = (stop if isinstance(stop, str) else int(stop) for stop in given["stop"])
    return Settings(**{**given, "stop": tuple(stops)})


def _misfit(name: str, value: Any) -> str | None:
    """What is wrong with one value, or None."""
    if name == "stop":
        return _wrong_stop(value)
    if name == "method" and value not in get_args(Method):
        return f"method: found {value!r}; {did_you_mean(str(value), get_args(Method))}"
    option = BATCH_SIZE if name == "batch_size" else ASKS.get(name)
    wrong = None if option is None else misfit(value, option)
    return None if wrong is None else f"{name}: found {value!r}; {wrong}"


def _wrong_stop(stops: tuple[Any, ...]) -> str | None:
    if len(stops) > MOST_STOPS:
        return f"stop: found {len(stops)}; at most {MOST_STOPS} may end a text"
    wrong = [stop for stop in stops if stop == "" or not (isinstance(stop, str) or is_whole(stop))]
    if wrong:
        return f"stop: found {wrong[0]!r}; it should be a text or a token's id"
    long = [stop for stop in stops if isinstance(stop, str) and len(stop) > LONGEST_STOP]
    return (
        f"stop: a text of it has {len(long[0])} characters; {LONGEST_STOP} may be" if long else None
    )


def _stops(value: Any) -> tuple[Any, ...]:
    """One stop, or each of many."""
    many = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
    return tuple(value) if many else (value,)
