"""Label checks: how the labels are spread over the splits, and what a person should know of it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from multigraft.data.label_cells import LabelsIn, label_lists
from multigraft.data.rows import Rows
from multigraft.data.sources.folders import splits_among
from multigraft.errors import shown
from multigraft.models.tasks.shared import label_fault, label_name

NAMED = 5


def label_notes(
    rows: Mapping[str, Rows],
    labels: Sequence[str],
    *,
    column: str | None = "label",
    labels_in: LabelsIn | None = None,
) -> list[str]:
    """Warn of labels that are too few, were joined or look alike, and of splits of one label.

    ``labels`` are those the task learned from ``column``; one of other values than single labels is
    passed over, unless ``labels_in`` reads several of a cell. Without a column, as of spans, the
    labels alone are looked at.
    """
    if not labels:
        return []
    if column is None:
        return [*_alike_notes(labels)]
    if labels_in is not None:
        return _notes_on_several(rows, labels, column, labels_in)
    joined: dict[str, set[str]] = {}
    spread = {split: _count(each, column, joined) for split, each in rows.items()}
    if any(count is None for count in spread.values()):
        return []
    counts = {split: count or Counter() for split, count in spread.items()}
    return [
        *_notes(counts, labels),
        *_joined_notes(joined),
        *_alike_notes(labels),
        *_split_name_notes(labels),
    ]


def _notes_on_several(
    rows: Mapping[str, Rows], labels: Sequence[str], column: str, labels_in: LabelsIn
) -> list[str]:
    """Notes on labels of which a row may have several, or none."""
    held = {split: label_lists(each.cells(column), labels_in) for split, each in rows.items()}
    counts = {
        split: Counter(label for each in lists for label in each or ())
        for split, lists in held.items()
    }
    bare = {split: sum(not each for each in lists) for split, lists in held.items()}
    empty = ", ".join(
        f"{count} of {len(held[split])} {split}" for split, count in bare.items() if count
    )
    return [
        *([f"rows without a label: {empty}"] if empty else []),
        *_few_notes(counts["train"], labels),
        *_alike_notes(labels),
    ]


def _joined_notes(joined: Mapping[str, set[str]]) -> Iterator[str]:
    """Note what was read as one label though it is written in several ways."""
    if joined:
        first = [
            f"{shown(name)} for {_listed(sorted(joined[name]))}" for name in sorted(joined)[:NAMED]
        ]
        more = f"; and {len(joined) - NAMED} more" if len(joined) > NAMED else ""
        yield (
            "labels that differ only in spaces around them or in how accents are stored are read "
            f"as one: {'; '.join(first)}{more}"
        )


def _alike_notes(labels: Sequence[str]) -> Iterator[str]:
    """Note labels that a person may have meant as one."""
    groups: dict[str, list[str]] = {}
    for label in labels:
        groups.setdefault(_fold(label), []).append(label)
    alike = [group for group in groups.values() if len(group) > 1]
    if alike:
        more = f"; and {len(alike) - NAMED} more" if len(alike) > NAMED else ""
        yield (
            "labels that differ only in case, width or spaces are learned as different ones; where "
            f"they mean the same, write them alike: {'; '.join(map(_listed, alike[:NAMED]))}{more}"
        )


def _fold(label: str) -> str:
    """Fold a label to what it shares with those that look the same to a reader in a hurry."""
    seen = "".join(sign for sign in label if unicodedata.category(sign) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", seen).casefold().split())


def _split_name_notes(labels: Sequence[str]) -> Iterator[str]:
    """Note labels that name the splits of a data set: the column is another one's."""
    fields = splits_among(labels)
    if len(set(fields.values())) > 1 and len(fields) == len(labels):
        yield (
            f"the labels are names of splits ({_listed(labels)}); is another column the label? "
            "data.columns: {label: ...}"
        )


def _notes(spread: Mapping[str, Counter[str]], labels: Sequence[str]) -> Iterator[str]:
    yield from _few_notes(spread["train"], labels)
    for split, counts in spread.items():
        if split != "train" and len(counts) == 1:
            yield (
                f"all {counts.total()} {split} rows have the label {shown(next(iter(counts)))}, so "
                "a score on them says little; give more rows, a larger share of them under "
                "data.split (with stratify: true), or a file with rows of every label"
            )


def _few_notes(counts: Counter[str], labels: Sequence[str]) -> Iterator[str]:
    for count, what in ((0, "no training row that can be used"), (1, "a single training row")):
        few = [label for label in labels if counts[label] == count]
        if few:
            has = "has" if len(few) == 1 else "have"
            yield (
                f"{len(few)} of {len(labels)} labels {has} {what}, and will hardly be learned: "
                f"{_listed(few)}"
            )


def _count(rows: Rows, column: str, joined: dict[str, set[str]]) -> Counter[str] | None:
    """How often each label stands in a split; None where the cells are no single labels.

    ``joined`` takes the other ways in which a label is written.
    """
    if column not in rows.columns:
        return None
    counts: Counter[str] = Counter()
    for value in rows.cells(column):
        if label_fault(value) is not None:
            return None
        name = label_name(value)
        counts[name] += 1
        if isinstance(value, str) and value != name:
            joined.setdefault(name, set()).add(value)
    return counts


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return ", ".join(map(shown, labels[:NAMED])) + more
