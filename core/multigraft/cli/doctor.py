"""``doctor``: report what is installed, usable and missing for what. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from multigraft.cli.plugins import installed
from multigraft.cli.shell import AsJson, Shell
from multigraft.system.about import __version__

if TYPE_CHECKING:
    from rich.table import Table

    from multigraft.cli.checkup import Library


def doctor(shell: Shell, as_json: AsJson = False) -> None:
    """Say what is installed, what the machine can do, and what is missing for what."""
    from multigraft.cli.checkup import libraries, look_at_machine

    found = libraries()
    off = {info.name: info.error for info in installed() if info.error is not None}
    machine = look_at_machine()
    if as_json:
        listed = [{**asdict(library), "advice": library.advice} for library in found]
        shell.say_json(
            {"multigraft": __version__, "machine": machine, "libraries": listed, "plugins_off": off}
        )
        return
    shell.out.print(_machine_table({"multigraft": __version__, **machine}))
    shell.out.print(_library_table(found))
    for advice in dict.fromkeys(library.advice for library in found if library.advice):
        names = ", ".join(library.name for library in found if library.advice == advice)
        shell.say(f"{advice}  brings {names}")
    for name, error in off.items():
        shell.out.print(
            f"plugin {name!r} is off: {error}", markup=False, highlight=False, style="red"
        )


def _machine_table(facts: Mapping[str, Any]) -> Table:
    from rich.table import Table

    from multigraft.evaluation.report.table import words

    shown = Table(box=None, show_header=False, pad_edge=False)
    shown.add_column(style="bold")
    shown.add_column(overflow="fold")
    for name, value in facts.items():
        shown.add_row(name.replace("_", " "), words(_words(value)))
    return shown


def _words(value: Any) -> str:
    words: dict[Any, str] = {True: "yes", False: "no", None: "unknown"}
    if isinstance(value, Mapping):
        return (
            ", ".join(f"{name}: {_words(inner)}" for name, inner in value.items()) or "nothing set"
        )
    if isinstance(value, list):
        return ", ".join(value)
    return words[value] if value is None or isinstance(value, bool) else str(value)


def _library_table(found: Sequence[Library]) -> Table:
    from rich import box
    from rich.table import Table

    from multigraft.evaluation.report.table import words

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("library", "found", "wanted", "brought by"):
        shown.add_column(heading)
    for library in found:
        style = "" if not library.advice else "yellow" if library.extra else "red"
        shown.add_row(
            library.name,
            words(library.found or "missing", style),
            library.wanted,
            library.extra or "base",
        )
    return shown
