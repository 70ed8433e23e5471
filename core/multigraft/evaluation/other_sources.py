"""Sources of other data: what each is called, what of it is left out, and one report of several."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from multigraft.contracts.report import Report
from multigraft.data import Problem
from multigraft.data.sources.containers import is_rows
from multigraft.errors import RunError
from multigraft.evaluation.row_answers import check_rows_file

OWN = ("train", "validation", "test")
NAME = re.compile(r"\w[\w.-]{0,99}")
REASONS = 5
"""The most reasons that a report counts rows by."""


def left_out(name: str, problems: Iterable[Problem]) -> list[str]:
    """Count the rows that were left out by their reason, the most frequent first."""
    counts = Counter(problem.reason for problem in problems)
    lines = [
        f"{name}: {count} {'row' if count == 1 else 'rows'} left out: {reason}"
        for reason, count in counts.most_common(REASONS)
    ]
    others = sum(counts.values()) - sum(count for _, count in counts.most_common(REASONS))
    return [*lines, f"{name}: {others} more rows left out"] if others else lines


def named_sources(
    data: Any, name: str | None, split: str | None, columns: Collection[str] = ()
) -> dict[str, Any]:
    """The sources to measure on, by the names their reports get; a mapping that has one of the
    ``columns`` is of columns, and one source. Raises RunError."""
    if isinstance(data, Mapping) and not set(data) & set(columns):
        if name is not None:
            raise RunError("name: several sources have a name each already; leave it out")
        found = {str(each): _given(source) for each, source in data.items()}
    else:
        found = {name or name_of_source(data, split): _given(data)}
    for each in found:
        if each in OWN or not NAME.fullmatch(each):
            raise RunError(
                f"name: {each!r} cannot be given to other data: {', '.join(OWN)} are the run's own "
                "splits, and letters, digits, - and . are allowed"
            )
    if not found:
        raise RunError("data: holds no source; give a name and a path for each")
    return found


def _given(source: Any) -> Any:
    return str(source) if isinstance(source, Path) else source


def name_of_source(source: Any, split: str | None) -> str:
    """A name for a source: that of its file or folder, and the folder's where it is a split; of
    several files the first's, and ``data`` for rows given in Python.

    >>> name_of_source("reviews/books.csv", None), name_of_source("books/test.csv", None)
    ('books', 'books-test')
    >>> name_of_source("books", "test"), name_of_source("hub:stanfordnlp/imdb", "test")
    ('books-test', 'imdb-test')
    """
    if isinstance(source, list | tuple) and source and not is_rows(source):
        source = source[0]
    if not isinstance(source, str | Path):
        return "data"
    source = str(source)
    path = Path(source.removeprefix("hub:"))
    path = path.absolute() if not source.startswith("hub:") else path
    stem = path.name if path.is_dir() else path.stem
    parts = [path.parent.name, stem] if stem in OWN else [stem]
    if split is not None and stem != split:
        parts.append(split)
    return re.sub(r"[^\w.-]+", "-", "-".join(part for part in parts if part))


def sources_of(data: Sequence[str], names: Sequence[str], split: str | None) -> dict[str, str]:
    """Sources as a command line gives them, by name. Raises RunError."""
    if names and len(names) != len(data):
        raise RunError(f"--name: {len(names)} given for {len(data)} --data; give one for each")
    named = list(names) or [name_of_source(source, split) for source in data]
    if twice := [name for name, count in Counter(named).items() if count > 1]:
        raise RunError(f"--name: {twice[0]!r} would stand for two of --data; give each a --name")
    return dict(zip(named, data, strict=True))


def answers_files(path: Path | None, names: Iterable[str]) -> dict[str, Path | None]:
    """The file of each source's answers: the path, or of several one beside it for each name."""
    names = list(names)
    if path is None:
        return dict.fromkeys(names)
    check_rows_file(path)
    if len(names) == 1:
        return {names[0]: path}
    return {name: path.with_name(f"{path.stem}-{name}{path.suffix}") for name in names}


def table_of(reports: Mapping[str, Report]) -> Report:
    """One report of several: a table with a line for each, and all that was noted."""
    first = next(iter(reports.values()))
    heading = ("data", "rows", *first.metrics)
    lines = [
        (name, each.facts.get("rows", ""), *(str(value) for value in each.metrics.values()))
        for name, each in reports.items()
    ]
    same = {
        key: value
        for key, value in first.facts.items()
        if all(each.facts.get(key) == value for each in reports.values())
    }
    return Report(
        verb="evaluate",
        title=f"{first.title.removesuffix(f' on {next(iter(reports))}')} on {len(reports)} sources",
        tables={"by data": (heading, *lines)},
        facts=same,
        notes=tuple(note for each in reports.values() for note in each.notes),
        files={
            f"{kind} {name}": file
            for name, each in reports.items()
            for kind, file in each.files.items()
        },
    )
