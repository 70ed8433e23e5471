"""Answers as columns: fields of plain values as they are, all else as JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PREFIX = "answer_"
"""In front of an answer's columns, so that none is taken for one of the table's own."""
ERROR = f"{PREFIX}error"
"""The column that says why a row could not be answered."""
MOST = 100
"""Columns that one field may become; a mapping with more keys stays one column."""
PLAIN = (str, int, float, bool)


@dataclass
class AnswerColumns:
    """What columns answers have, gathered from all of them before the first is written."""

    kinds: dict[str, set[type]] = field(default_factory=dict)
    """Fields -> the types of their values; None is none."""
    keys: dict[str, dict[str, set[type]]] = field(default_factory=dict)
    """Fields that hold mappings of plain values -> the types by key."""
    order: Sequence[str] = ()
    """Keys in the order in which their columns stand, in front of others."""

    @classmethod
    def of(cls, answers: Iterable[Mapping[str, Any]], order: Sequence[str] = ()) -> AnswerColumns:
        """Look at each of the answers once."""
        found = cls({"error": set()}, order=order)
        for answer in answers:
            for name, value in answer.items():
                found._look(name, value)
        return found

    def _look(self, name: str, value: Any) -> None:
        kinds = self.kinds.setdefault(name, set())
        if value is None:
            return
        kinds.add(type(value))
        if not isinstance(value, dict):
            return
        keys = self.keys.setdefault(name, {})
        for key, inner in value.items() if len(keys) <= MOST else ():
            keys.setdefault(key, set()).update(() if inner is None else {type(inner)})

    def types(self) -> dict[str, type | None]:
        """Columns by their names, each with its one type: str where values are of several, or JSON;
        None where nothing is known of it. That of errors is the last."""
        found: dict[str, type | None] = {}
        for name, kinds in self.kinds.items():
            if self._spread(name):
                keys = self.keys[name]
                for key in dict.fromkeys([*(each for each in self.order if each in keys), *keys]):
                    found[f"{PREFIX}{name}_{key}"] = _one(keys[key])
            else:
                found[f"{PREFIX}{name}"] = _one(kinds)
        found.pop(ERROR)
        return {**found, ERROR: str}

    def row(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """One answer's values, by column."""
        found: dict[str, Any] = {}
        for name, value in answer.items():
            if not self._spread(name):
                found[f"{PREFIX}{name}"] = value
            elif value is not None:
                found |= {f"{PREFIX}{name}_{key}": inner for key, inner in value.items()}
        return found

    def _spread(self, name: str) -> bool:
        """Whether a field's keys are columns of their own."""
        keys = self.keys.get(name, {})
        plain = all(kinds <= set(PLAIN) for kinds in keys.values())
        return self.kinds[name] == {dict} and 0 < len(keys) <= MOST and plain


def _one(kinds: set[type]) -> type | None:
    if kinds == {int, float}:
        return float
    kind = next(iter(kinds)) if len(kinds) == 1 else None
    return kind if kind in PLAIN else (str if kinds else None)


def as_text(value: Any) -> str:
    """A value in a column of texts: JSON, but for a text itself."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def flat(value: Any) -> Any:
    """A value in a cell without a type, as CSV has it."""
    return value if value is None or isinstance(value, PLAIN) else as_text(value)


def names_of(columns: Sequence[str], answers: AnswerColumns) -> list[str]:
    """The table's own columns, then the answers'."""
    return [*columns, *answers.types()]
