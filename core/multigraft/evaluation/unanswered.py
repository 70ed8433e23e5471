"""Labels that a model never answers, though rows have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from multigraft.errors import shown
from multigraft.evaluation.report.confusion import cells_of

NAMED = 5


def unanswered_notes(details: Mapping[str, Any], *, rows: str) -> list[str]:
    """Say which labels of the held-out rows are no row's answer, the most frequent first.

    ``details`` are those of `Objective.details`: by ``label_counts`` or else the ``confusion``.
    """
    never = [label for label in _counted(details) if label[1] and not label[2]]
    if not never:
        return []
    never.sort(key=lambda label: -label[1])
    named = ", ".join(f"{shown(name)} ({count} true)" for name, count, _ in never[:NAMED])
    more = f" and {len(never) - NAMED} more" if len(never) > NAMED else ""
    what = "a label of the" if len(never) == 1 else f"{len(never)} labels of the"
    return [
        f"{what} {rows} rows {'is' if len(never) == 1 else 'are'} never answered: {named}{more}; "
        "more training rows that have them may help"
    ]


def _counted(details: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """Each label, how often it is true and how often answered."""
    if counts := details.get("label_counts"):
        both = zip(counts["labels"], counts["expected"], counts["answered"], strict=True)
        return [(str(label), int(true), int(told)) for label, true, told in both]
    return _of_confusion(details["confusion"]) if "confusion" in details else []


def _of_confusion(confusion: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    true: Counter[int] = Counter()
    told: Counter[int] = Counter()
    for expected, answered, count in cells_of(confusion):
        true[expected] += count
        told[answered] += count
    labels: Sequence[str] = confusion["labels"]
    return [(label, true[place], told[place]) for place, label in enumerate(labels)]
