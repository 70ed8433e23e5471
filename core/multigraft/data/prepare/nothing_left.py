"""What is said where no row is left: the step that dropped most of them, and why."""

from __future__ import annotations

from multigraft.contracts.readers import UNREAD
from multigraft.data.prepare.judging import READ
from multigraft.data.prepare.plan import Plan
from multigraft.data.prepare.tally import Tally
from multigraft.data.prepare.workspace import Workspace


def nothing_left(plan: Plan, work: Workspace) -> str:
    """The step that dropped most rows and its most frequent reason; of files that cannot be read
    one that was tried, and where relative names start."""
    tallies = {
        int(number): Tally.of(facts)
        for each in plan.passes
        for number, facts in (work.finished(each.number) or {"tallies": {}})["tallies"].items()
    }
    number = max(tallies, key=lambda each: tallies[each].dropped.total())
    found, total = tallies[number], tallies[READ].seen
    why, rows = found.dropped.most_common(1)[0]
    who = "reading" if number == READ else f"step {number + 1}, {plan.steps[number].name},"
    said = (
        f"no row is left of {total:,}: {who} drops most of them, {found.dropped.total():,}, and "
        f"{rows:,} of these for: {why}"
    )
    if why.startswith(UNREAD):
        return said + _tried(plan, work, found)
    mend = "mend the source" if number == READ else "change that step, or leave it out"
    return f"{said}; {mend}"


def _tried(plan: Plan, work: Workspace, found: Tally) -> str:
    """A file that could not be read, by its whole name, and where relative names start."""
    unread = [
        each
        for each in found.examples.get("dropped", ())
        if each.file and each.told.startswith(UNREAD)
    ]
    first = min(unread, key=lambda each: each.row, default=None)
    folder = work.facts(plan.passes[-1].number, 0)["folder"]
    told = f" (row {first.row + 1:,}: {first.file})" if first is not None else ""
    starts = f"relative names start in {folder}" if folder else "names are relative to the program"
    return f"{told}; {starts}"
