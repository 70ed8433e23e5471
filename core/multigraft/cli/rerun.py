"""``rerun``: repeat a run from its own folder and compare the results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multigraft.cli import FAILED
from multigraft.cli.shell import AsJson, Shell
from multigraft.cli.train import RunFolder

if TYPE_CHECKING:
    from multigraft.runs.compare import Comparison

Out = Annotated[
    Path | None, typer.Option("--out", help="The repetition's folder.", show_default="RUN-again")
]


def rerun(shell: Shell, run: RunFolder, out: Out = None, as_json: AsJson = False) -> None:
    """Train a run again from its recipe, and compare weights and metrics; exit code 1 where they
    differ."""
    from multigraft import api
    from multigraft.training.callbacks.progress import Progress

    with Progress(shell.err) as progress:
        plugins = [] if shell.quiet else [progress]
        found = api.rerun(run, output=out, plugins=plugins, quiet=True)
    if as_json:
        shell.say_json(found.to_dict())
    else:
        _show(shell, found)
    if not found.equal:
        raise typer.Exit(FAILED)


def _show(shell: Shell, found: Comparison) -> None:
    for name, gap in found.weights.items():
        shell.say(f"{name}: {_weights(gap)}")
    shell.say(
        "metrics: " + ("equal" if found.step is None else f"differ from step {found.step} on")
    )
    for name, (before, now) in found.changed.items():
        shell.say(f"{name}: {_value(before)} then, {_value(now)} now")
    shell.say("the same to the bit" if found.equal else "not the same")
    shell.tell(f"run: {found.second}")


def _weights(gap: float | None) -> str:
    if gap is None:
        return "only one run has it"
    return "equal" if gap == 0 else f"differ by up to {gap:.2g}"


def _value(value: Any) -> str:
    return "nothing" if value is None else str(value)
