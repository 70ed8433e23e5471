"""Tables of systems: the leaderboard, and each on the domains that it did not learn from."""

from __future__ import annotations

from collections.abc import Sequence

from multigraft.contracts.numbers import quantity
from multigraft.experiments.leaderboard import Entry, Leaderboard, leaderboard
from multigraft.experiments.leave_one_out import LEAVE_ONE_OUT
from multigraft.experiments.summary import NAMELESS, Group, Summary
from multigraft.experiments.written import Rows, filled, p_value, told

BEST = ("beside the best", "p (Holm)")
"""Headings of a difference and its p-value."""


def leaderboard_table(board: Leaderboard) -> Rows:
    """The leaderboard, without the columns of which nothing is known."""
    lines = [_entry(place, each, board) for place, each in enumerate(board.entries, 1)]
    beside = (*BEST, "mean rank")
    costs = ("training s", "ms a row", "MB", "Pareto front")
    return filled([("", "cells", board.metric, *beside, *costs), *lines])


def _entry(place: int, each: Entry, board: Leaderboard) -> tuple[str, ...]:
    costs = each.costs
    lacking = f"on {each.measured} of {len(board.pairs)}"
    several = len(board.entries) > 1
    return (
        "" if each.estimate is None else str(place),
        each.name,
        lacking if each.estimate is None else told(each.estimate),
        "best" if several and place == 1 else told(each.difference),
        "" if each.adjusted is None else p_value(each.adjusted),
        "" if each.rank is None else f"{each.rank:.2f}",
        "" if costs.seconds is None else quantity(costs.seconds),
        "" if costs.ms is None else quantity(costs.ms),
        "" if costs.megabytes is None else quantity(costs.megabytes),
        "front" if several and each.front else "",
    )


def left_out_table(summary: Summary) -> Rows:
    """Leave-one-domain-out: each system on every domain that it did not learn from, and the mean
    over them, the best first; empty where no cell leaves one out."""
    groups = [group for group in summary.groups if group.left_out is not None]
    board = leaderboard(summary, groups) if groups else None
    if board is None:
        return ()
    outs = {group.left_out for group in groups}
    domains = [name for name in summary.domains if name in outs]
    lines = [_left_out(summary, entry, groups, domains) for entry in board.entries]
    over = [target for _, target in board.pairs]
    mean = "mean" if len(over) == len(domains) else f"mean over {', '.join(over)}"
    return filled([(board.metric, *domains, mean, *BEST), *lines])


def _left_out(
    summary: Summary, entry: Entry, groups: Sequence[Group], domains: Sequence[str]
) -> tuple[str, ...]:
    """A system's line, with what it has on each domain that was left out."""
    own = [each for each in groups if entry.name in (each.name or NAMELESS, LEAVE_ONE_OUT)]
    found = {each.left_out: summary.estimate(each, str(each.left_out)) for each in own}
    p = "" if entry.adjusted is None else p_value(entry.adjusted)
    several = [told(found.get(name)) for name in domains]
    return (entry.name, *several, told(entry.estimate), told(entry.difference), p)
