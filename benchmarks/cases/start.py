"""How long a command and an import take, each in a fresh process; the other column is for scale.

`multigraft --help` beside `transformers --help`, and ``python -c "import multigraft"`` beside
``import transformers``: the wall clock of the whole process, the interpreter's own start included.
Median of ten (one, quick).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import Bar, Case, Mode, Sample, below, stopwatch

ROUNDS = {"full": 10, "quick": 1, "smoke": 1}
BIN = Path(sys.executable).parent


def cases(mode: Mode, desk: Path) -> list[Case]:
    """The command and the import."""
    helps = {name: [str(BIN / name), "--help"] for name in ("multigraft", "transformers")}
    imports = {name: [sys.executable, "-c", f"import {name}"] for name in helps}
    return [
        _case("start_help", "--help", helps, mode, desk, below(0.4, "s")),
        _case("start_import", "import", imports, mode, desk, below(0.10, "s")),
    ]


def _case(
    name: str, what: str, commands: dict[str, list[str]], mode: Mode, desk: Path, bar: Bar
) -> Case:
    return Case(
        name=name,
        work=f"{what}, a fresh process",
        other="transformers, for scale",
        unit="s",
        ours=lambda turn: _timed(commands["multigraft"], desk),
        theirs=lambda turn: _timed(commands["transformers"], desk),
        rounds=ROUNDS[mode],
        bar=bar,
        settings={
            "commands": [
                " ".join([Path(command[0]).name, *command[1:]]) for command in commands.values()
            ]
        },
    )


def _timed(command: Sequence[str], desk: Path) -> Sample:
    with stopwatch() as seconds:
        subprocess.run(command, cwd=desk, check=True, capture_output=True)
    return Sample(seconds[0])
