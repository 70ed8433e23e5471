"""Worst rows of a domain: those that most cells get wrong, with what they hold."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from multigraft.contracts.numbers import quantity
from multigraft.errors import RunError, refused_as
from multigraft.evaluation.report.svg import cut
from multigraft.experiments.cells import folder_of
from multigraft.experiments.records import Tested
from multigraft.experiments.summary import Summary
from multigraft.runs.report_files import read_report
from multigraft.system.files import check_plain

log = logging.getLogger("multigraft")
SHOWN = 10
MOST_CELLS = 60
"""Cells, in the order of the plan, whose answers are read."""
ANSWER_BYTES = 2**28
LETTERS = 80
"""Of an answer."""
HEADING = ("row", "content", "expected", "answered", "wrong", "mean loss")


@dataclass
class _Row:
    """What the cells made of one row."""

    expected: str
    losses: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    judged: int = 0

    @property
    def loss(self) -> float:
        return sum(self.losses) / len(self.losses)


def worst_rows(summary: Summary) -> Iterator[tuple[str, tuple[tuple[str, ...], ...]]]:
    """A table for each domain whose answers were kept: rows by their loss, averaged over cells."""
    for domain in summary.domains:
        cells = list(_cells(summary, domain))
        rows: dict[str, _Row] = {}
        for folder, tested in cells:
            _add(rows, folder / str(tested.answers))
        known = [(place, row) for place, row in rows.items() if row.losses]
        worst = sorted(known, key=lambda each: -each[1].loss)[:SHOWN]
        if worst:
            contents = _contents(cells, [place for place, _ in worst])
            yield domain, (HEADING, *(_told(place, row, contents) for place, row in worst))


def _cells(summary: Summary, domain: str) -> Iterator[tuple[Path, Tested]]:
    """The folders of cells that kept their answers on a domain."""
    for key in list(summary.records)[:MOST_CELLS]:
        folder = folder_of(summary.experiment.folder, key)
        for tested in summary.records[key].tested:
            path = folder / (tested.answers or "")
            inside = path.resolve().is_relative_to(folder.resolve())
            if tested.domain == domain and tested.answers and inside and path.is_file():
                yield folder, tested


def _add(rows: dict[str, _Row], path: Path) -> None:
    """Count the answers of a file; one that cannot be read is told and left out."""
    try:
        with refused_as(RunError, f"{path}: cannot be read"):
            check_plain(path, limit=ANSWER_BYTES)
            for line in path.read_text(encoding="utf-8").splitlines():
                _count(rows, json.loads(line))
    except RunError as error:
        log.warning("%s; its rows are left out of the worst", error)


def _count(rows: dict[str, _Row], answer: Mapping[str, Any]) -> None:
    row = rows.setdefault(str(answer["row"]), _Row(_said(answer["expected"])))
    row.answers[_said(answer["answer"])] += 1
    if answer["loss"] is not None:
        row.losses.append(float(answer["loss"]))
    if answer["correct"] is not None:
        row.judged += 1
        row.wrong += not answer["correct"]


def _contents(cells: list[tuple[Path, Tested]], places: list[str]) -> dict[str, str]:
    """What rows hold, as far as the reports of the cells name it among their own worst."""
    found: dict[str, str] = {}
    for folder, tested in cells:
        if tested.kept is None or found.keys() >= set(places):
            continue
        path = (folder / tested.kept).with_suffix(".json")
        try:
            worst = read_report(path).worst if path.exists() else ()
        except RunError as error:
            log.warning("%s; what its rows hold is not shown", error)
            continue
        found |= {row.place: row.content for row in worst if row.content is not None}
    return found


def _told(place: str, row: _Row, contents: Mapping[str, str]) -> tuple[str, ...]:
    answers = row.answers.most_common(3)
    several = sum(row.answers.values()) > 1
    return (
        place,
        contents.get(place, ""),
        row.expected,
        ", ".join(f"{said} ({count})" if several else said for said, count in answers),
        f"{row.wrong}/{row.judged}" if row.judged else "",
        quantity(row.loss),
    )


def _said(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return cut(" ".join(text.split()), LETTERS)
