"""``python -m faults.soak --kills 200``: kills runs of every recipe, and prints where, and how they
ended."""

from __future__ import annotations

import argparse
import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from faults.cases import CASES, Case
from faults.harness import Calm, Trial, calm_life, draw, fresh_seed, generator, trial

COLUMNS = {
    "step": ("step",),
    "checkpoint": ("checkpoint write", "checkpoint read"),
    "validation": ("validation",),
    "evaluation": ("evaluation",),
    "replay build": ("replay build",),
    "data caches": ("rows cache", "table cache"),
    "model save": ("model save",),
    "export": ("export",),
    "records": ("journal", "run.json", "report"),
}
"""What the table calls the places of a kill; all others are "elsewhere"."""
CHOSEN, CHANCE = 4, 1
"""Kills of one run: at chosen events, and at any moment."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, print the table and what was wrong; 1 where any run ended otherwise than it should."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=fresh_seed())
    parser.add_argument(
        "--only", nargs="*", choices=list(CASES), default=list(CASES), help="recipes"
    )
    asked = parser.parse_args(arguments)
    print(f"seed {asked.seed}: the same kill points again with --seed {asked.seed}", flush=True)
    root, began, trials = (
        Path(tempfile.mkdtemp(prefix="multigraft-soak-")),
        time.perf_counter(),
        list[Trial](),
    )
    for done in _trials([CASES[name] for name in asked.only], root, asked.seed):
        trials.append(done)
        print(_line(done), flush=True)
        if kills(trials) >= asked.kills:
            break
    wrong = [done for done in trials if done.wrong]
    print(f"\n{table(trials)}\n\n{_summary(trials, time.perf_counter() - began)}")
    if not wrong:
        shutil.rmtree(root)
    return int(bool(wrong))


def _trials(cases: Sequence[Case], root: Path, seed: int) -> Iterator[Trial]:
    """One run of each recipe in turn, without end."""
    calms: dict[str, Calm] = {}
    for number, case in ((number, case) for number in itertools.count() for case in cases):
        if case.name not in calms:
            calms[case.name] = calm_life(case, root / case.name)
        calm, rng = calms[case.name], generator(seed, case.name, str(number))
        points = draw(calm, rng, CHOSEN, chance=CHANCE)
        yield trial(calm, root / case.name / f"killed-{number}", points, rng)


def kills(trials: Sequence[Trial]) -> int:
    """How often a process was killed in all of them."""
    return sum(done.kills.total() for done in trials)


def _line(done: Trial) -> str:
    ending = "; ".join(done.wrong + done.story) if done.wrong else "the same end"
    return f"{done.case.name}: {done.kills.total()} kills in {done.seconds:.0f} s, {ending}"


def table(trials: Sequence[Trial]) -> str:
    """What was killed where, a line for each recipe, as Markdown."""
    head = [
        "recipe",
        "features",
        *COLUMNS,
        "elsewhere",
        "kills",
        "SIGTERM",
        "lives",
        "unequal ends",
        "seconds",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    names = dict.fromkeys(done.case.name for done in trials)
    groups = [[done for done in trials if done.case.name == name] for name in names]
    rows = [_row(group, group[0].case.name, ", ".join(group[0].case.features)) for group in groups]
    return "\n".join([*lines, *rows, _row(trials, "all", "")])


def _row(trials: Sequence[Trial], name: str, features: str) -> str:
    counts = [
        sum(count for done in trials for place, count in done.kills.items() if place in places)
        for places in COLUMNS.values()
    ]
    total = kills(trials)
    numbers = [
        *counts,
        total - sum(counts),
        total,
        sum(done.asked for done in trials),
        sum(done.lives for done in trials),
        sum(bool(done.wrong) for done in trials),
        round(sum(done.seconds for done in trials)),
    ]
    return f"| {name} | {features} | " + " | ".join(map(str, numbers)) + " |"


def _summary(trials: Sequence[Trial], seconds: float) -> str:
    wrong = sum(bool(done.wrong) for done in trials)
    return (
        f"{kills(trials)} kills, {len(trials)} runs, {sum(done.lives for done in trials)} lives, "
        f"{wrong} unequal ends, {seconds:.0f} s"
    )


if __name__ == "__main__":
    raise SystemExit(main())
