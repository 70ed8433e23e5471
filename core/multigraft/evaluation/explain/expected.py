"""What a row's answer should have been, and whether it is that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from multigraft.contracts.types import Answer


@dataclass(frozen=True)
class Expected:
    """Of a row that has its targets."""

    text: str
    """As a person reads it."""
    right: bool | None
    """Whether the answer is that; None where answers are not right or wrong, as with numbers."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"expected": self.text, **({} if self.right is None else {"right": self.right})}


def expected_of(
    cells: Mapping[str, Any],
    columns: Sequence[str],
    answer: Answer,
    *,
    named: Callable[[Any], str] = str,
) -> Expected | None:
    """What stands in a row's target ``columns``, beside its answer; None where nothing does.
    ``named`` is the name of a label that stands there.

    >>> expected_of({"label": 1}, ["label"], {"label": "0", "score": 0.9})
    Expected(text='1', right=False)
    >>> expected_of({"labels": ["a", "b"]}, ["labels"], {"labels": ["b", "a"]})
    Expected(text='a, b', right=True)
    >>> expected_of({"value": 2.5}, ["value"], {"value": 2.4})
    Expected(text='2.5', right=None)
    """
    found = {name: cells[name] for name in columns if cells.get(name) is not None}
    if not found:
        return None
    if len(found) > 1:
        return Expected(", ".join(f"{name} {value}" for name, value in found.items()), None)
    (value,) = found.values()
    label, labels = answer.get("label"), answer.get("labels")
    if isinstance(value, list | tuple):
        names = [named(each) for each in value]
        return Expected(", ".join(names), set(names) == set(labels) if labels is not None else None)
    if label is None or not isinstance(value, str | int | float):
        return Expected(str(value), None)
    return Expected(named(value), named(value) == named(label))
