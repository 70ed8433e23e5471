"""Overview of an experiment: tables of what its cells measured, as a report that can be shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby

from multigraft.contracts.numbers import duration
from multigraft.contracts.report import Report
from multigraft.evaluation.statistics import Standing
from multigraft.experiments.efficiency import curves
from multigraft.experiments.leaderboard import leaderboard
from multigraft.experiments.leave_one_out import LEAVE_ONE_OUT
from multigraft.experiments.opening import Experiment
from multigraft.experiments.search.outcome import by_study
from multigraft.experiments.summary import Group, Summary
from multigraft.experiments.system_tables import leaderboard_table, left_out_table
from multigraft.experiments.transfer import Transfer, transfers
from multigraft.experiments.written import Rows, filled, p_value, parts, told

NOTHING = "no cell has ended yet"
LEADERBOARD = "leaderboard"
TRANSFER, BESIDE = "transfer", "what learned from the same rows"
"""Titles of tables."""
TRIALS = 10
"""Of a search that are shown."""


def report_of(found: Experiment) -> Report:
    """What an experiment says so far."""
    summary = Summary(found)
    return Report(
        verb="experiment",
        title=found.folder.name,
        tables={title: rows for title, rows in _tables(summary) if len(rows) > 1},
        facts=_facts(summary),
        notes=tuple(_notes(summary)),
        files={"results": str(found.folder / "results.parquet")},
    )


def _facts(summary: Summary) -> dict[str, str]:
    found, records = summary.experiment, summary.records
    trials = found.trials()
    failed = len(found.problems)
    spent = sum(each.seconds + sum(one.seconds for one in each.tested) for each in records.values())
    return {
        "folder": str(found.folder),
        "cells": f"{len(found.cells)}, {len(records)} of them ended",
        **({"trials": str(len(trials))} if trials else {}),
        "failed": str(failed),
        "metric": str(summary.metric),
        "computing": duration(spent),
        "confidence": "0.95",
    }


def _notes(summary: Summary) -> Iterator[str]:
    if not summary.records:
        yield NOTHING
    elif summary.metrics and summary.metric not in summary.metrics:
        yield (
            f"metric: no cell measured {summary.metric!r}; measured were "
            f"{', '.join(summary.metrics)}"
        )
    if trials := summary.experiment.trials():
        yield (
            f"search: of {len(trials)} trials the validation rows chose; the rows of the figures "
            "here were measured once, for what was chosen, and no trial saw them"
        )
    yield from _told_of_rows(summary)
    worse = [
        f"{each.group.whole_name} on {each.target}" for each in transfers(summary) if each.negative
    ]
    if worse:
        yield (
            "negative transfer, surely worse than a training from scratch on the target: "
            f"{'; '.join(worse)}"
        )


def _told_of_rows(summary: Summary) -> Iterator[str]:
    """What evaluations noted of the rows of a domain, each once."""
    told = Counter(
        note
        for record in summary.records.values()
        for tested in record.tested
        for note in tested.notes
    )
    for note, count in told.most_common():
        yield note if count == 1 else f"{note} ({count} cells)"


def _tables(summary: Summary) -> Iterator[tuple[str, Rows]]:
    board = leaderboard(summary)
    yield LEADERBOARD, () if board is None else leaderboard_table(board)
    yield LEAVE_ONE_OUT, left_out_table(summary)
    found = list(matrices(summary))
    yield from found or [(f"{summary.metric} of every cell, seeds together", _measured(summary))]
    yield BESIDE, _standings(summary)
    yield TRANSFER, _transfers(summary)
    for name, steps in curves(summary).items():
        told = ((str(step.rows), *parts(step.estimate)) for step in steps)
        yield f"training rows: {name}", (("rows", str(summary.metric), "interval"), *told)
    yield from search_tables(summary.experiment)
    yield "failed", failures(summary.experiment)


def matrices(summary: Summary) -> Iterator[tuple[str, Rows]]:
    """Source (rows) by target (columns), a table for each combination of what else varies."""
    measured = {id(point.group) for point in summary.points}
    named = [
        each
        for each in summary.groups
        if each.data is not None and each.left_out is None and id(each) in measured
    ]
    if len({group.data for group in named}) < 2 or len(summary.domains) < 2:
        return
    for name, groups in groupby(sorted(named, key=lambda each: each.name), lambda each: each.name):
        lines = tuple((str(group.data), *_cells(summary, group)) for group in groups)
        yield (
            f"{summary.metric}, source by target" + (f": {name}" if name else ""),
            (("learned from", *summary.domains), *lines),
        )


def _cells(summary: Summary, group: Group) -> Iterator[str]:
    for domain in summary.domains:
        estimate = summary.estimate(group, domain)
        yield "" if estimate is None else told(estimate)


def _measured(summary: Summary) -> Rows:
    """Every group on every domain."""
    lines = (
        (
            point.group.whole_name,
            point.domain,
            told(point.estimate),
            str(point.estimate.n),
            str(point.estimate.seeds),
        )
        for point in summary.points
    )
    return (("cells", "on", str(summary.metric), "rows", "seeds"), *lines)


def _standings(summary: Summary) -> Rows:
    """What was learned from the same data, side by side on each domain: is the difference real?"""
    by_data: dict[str | None, list[Group]] = {}
    for group in summary.groups:
        by_data.setdefault(group.data, []).append(group)
    lines = (
        (data or "", domain, *_standing(each, data))
        for data, groups in by_data.items()
        for domain in summary.domains
        for each in summary.standings(groups, domain)
    )
    heading = ("learned from", "on", "cells", str(summary.metric), "beside the best", "p (Holm)")
    return filled([heading, *lines])


def _standing(each: Standing, data: str | None) -> tuple[str, ...]:
    name = each.name.removeprefix(f"{data}, ")
    if each.difference is None:
        return name, told(each.estimate), "best", ""
    p = 1.0 if each.adjusted is None else each.adjusted
    return name, told(each.estimate), told(each.difference), p_value(p)


def _transfers(summary: Summary) -> Rows:
    found = [each for each in transfers(summary) if each.over_own or each.over_scratch]
    heading = ("learned from", "on", "minus its own model", "relative", "minus scratch", "transfer")
    return filled([heading, *map(_transfer, found)])


def _transfer(each: Transfer) -> tuple[str, ...]:
    return (
        each.group.whole_name,
        each.target,
        "" if each.over_own is None else told(each.over_own),
        "" if each.relative is None else f"{each.relative:+.0%}",
        "" if each.over_scratch is None else told(each.over_scratch),
        "negative" if each.negative else "",
    )


def search_tables(found: Experiment) -> Iterator[tuple[str, Rows]]:
    """The best trials of each search, the one that was chosen first."""
    for study, trials in by_study(found.trials()).items():
        best = sorted(trials, key=lambda each: (-each.goodness, each.number))[:TRIALS]
        fields = list(dict.fromkeys(name for each in best for name in each.drawn))
        metric = next((each.metric for each in trials if each.metric), "value")
        heading = ("trial", *(name.rpartition(".")[2] for name in fields), f"validation {metric}")
        lines = [
            (
                str(each.number),
                *(_drawn(each.drawn.get(name)) for name in fields),
                "" if each.value is None else f"{each.value:.4g}",
                f"{each.state}, {each.reason}" if each.reason else each.state,
                duration(each.seconds),
            )
            for each in best
        ]
        name = "search" if study == "search" else f"search: {study}"
        yield f"{name}, best of {len(trials)} trials", ((*heading, "ended", "time"), *lines)


def _drawn(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def failures(found: Experiment) -> Rows:
    """The cells that failed, with their reasons."""
    lines = [
        (key, reason) for key, reasons in found.problems.items() for reason in map(_short, reasons)
    ]
    return (("cell", "why"), *lines)


def _short(reason: str) -> str:
    lines = reason.splitlines()
    return lines[0] if len(lines) < 2 else f"{lines[0]} {lines[1].strip()}"
