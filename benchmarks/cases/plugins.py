"""How long `multigraft plugins` takes with thirty plugins, five broken; the other column is for
scale.

Thirty packages, each a module and its metadata in a folder on the path: twenty-five register a
strategy; one raises when it is imported, one needs what is not installed, one misspells a hook, one
takes a name that is taken, one was written for another version. The wall clock of a fresh process,
beside ``pip list`` of the same environment. Median of ten (three, quick).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness import Case, Mode, Sample, below, stopwatch

ROUNDS = {"full": 10, "quick": 3, "smoke": 1}
GOOD = 25
STRATEGY = """
import multigraft as mg


@mg.hookimpl
def {hook}():
    return [mg.Strategy(name="{name}", plan=lambda plan, options: plan)]
"""
BROKEN = {
    "raises": "raise RuntimeError('no licence found')\n",
    "lacks": "import no_such_library\n",
    "misspelt": STRATEGY.format(hook="register_strategys", name="lost"),
    "clashes": STRATEGY.format(hook="register_strategies", name="full"),
    "outdated": 'requires_multigraft = "<0.0.1"\n',
}
"""Name -> what is wrong with its module."""


def cases(mode: Mode, desk: Path) -> list[Case]:
    """One."""
    site = desk / "site"
    make(site)
    commands = {
        "multigraft": ["multigraft.cli", "plugins"],
        "pip": ["pip", "list", "--format=freeze"],
    }
    return [
        Case(
            name="plugins",
            work=f"list {GOOD + len(BROKEN)} plugins, {len(BROKEN)} broken, a fresh process",
            other="pip list, for scale",
            unit="s",
            ours=lambda turn: _timed(commands["multigraft"], site),
            theirs=lambda turn: _timed(commands["pip"], site),
            rounds=ROUNDS[mode],
            bar=below(1.0, "s"),
            settings={
                "commands": [" ".join(["python", "-m", *words]) for words in commands.values()]
            },
        )
    ]


def make(site: Path) -> None:
    """Install the thirty into a folder."""
    good = {
        f"good{number:02d}": STRATEGY.format(
            hook="register_strategies", name=f"strategy-{number:02d}"
        )
        for number in range(GOOD)
    }
    for name, source in {**good, **BROKEN}.items():
        metadata = site / f"plugin_{name}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (site / f"plugin_{name}.py").write_text(source, encoding="utf-8")
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: plugin-{name}\nVersion: 1.0\n"
        )
        (metadata / "entry_points.txt").write_text(f"[multigraft]\n{name} = plugin_{name}\n")


def environment(site: Path) -> Mapping[str, str]:
    """That of a process in which the thirty are installed."""
    paths = [str(site), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _timed(words: Sequence[str], site: Path) -> Sample:
    with stopwatch() as seconds:
        subprocess.run(
            [sys.executable, "-m", *words], env=environment(site), check=True, capture_output=True
        )
    return Sample(seconds[0])
