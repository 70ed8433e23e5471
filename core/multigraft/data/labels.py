"""What a person should know about how the labels are spread over the parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from multigraft.data.rows import Rows
from multigraft.errors import shown
from multigraft.tasks.records import label_fault, label_name

NAMED = 5


def label_notes(rows: Mapping[str, Rows], labels: Sequence[str]) -> list[str]:
    """Labels that training can hardly learn, and parts on which a score says little.

    ``labels`` are those the task learned; a column of other values than single labels is passed over.
    """
    if not labels:
        return []
    spread = {part: _count(each) for part, each in rows.items()}
    if any(count is None for count in spread.values()):
        return []
    return list(_notes({part: count or Counter() for part, count in spread.items()}, labels))


def _notes(spread: Mapping[str, Counter[str]], labels: Sequence[str]) -> Iterator[str]:
    for count, what in ((0, "no training row that can be used"), (1, "a single training row")):
        few = [label for label in labels if spread["train"][label] == count]
        if few:
            has = "has" if len(few) == 1 else "have"
            yield (
                f"{len(few)} of {len(labels)} labels {has} {what}, and will hardly be learned: {_listed(few)}"
            )
    for part, counts in spread.items():
        if part != "train" and len(counts) == 1:
            yield (
                f"all {counts.total()} {part} rows have the label {shown(next(iter(counts)))}, so a score on "
                "them says little; give rows of every label, or draw them with data.split.stratify"
            )


def _count(rows: Rows) -> Counter[str] | None:
    """How often each label stands in a part; None where the cells are no single labels."""
    if "label" not in rows.columns:
        return None
    counts: Counter[str] = Counter()
    for value in rows.cells("label"):
        if label_fault(value) is not None:
            return None
        counts[label_name(value)] += 1
    return counts


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return ", ".join(map(shown, labels[:NAMED])) + more
