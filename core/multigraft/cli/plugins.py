"""``plugins``: list who brings what, and why one is off."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from multigraft.cli.shell import AsJson, Shell

if TYPE_CHECKING:
    from rich.table import Table

    from multigraft.plugins.info import PluginInfo


Why = Annotated[
    str | None,
    typer.Option(
        "--why", metavar="NAME", help="All that is known of one plugin.", show_default=False
    ),
]


def plugins(shell: Shell, why: Why = None, as_json: AsJson = False) -> None:
    """List the installed plugins, what each brings, and why one is off."""
    found = installed()
    if why is not None:
        found = [info for info in found if info.name == why] or _no_such(why, found)
    if as_json:
        shell.say_json([info.facts() for info in found])
        return
    if why is not None:
        for line in _all_of(found[0]):
            shell.say(line)
        return
    shell.out.print(table(found))
    off = sum(info.error is not None for info in found)
    shell.tell(f"{len(found) - off} on, {off} off")


def _no_such(name: str, found: Sequence[PluginInfo]) -> NoReturn:
    from multigraft.errors import UnknownName, did_you_mean

    known = did_you_mean(name, [info.name for info in found])
    raise UnknownName(f"no plugin {name!r} is installed: {known}")


def _all_of(info: PluginInfo) -> Iterator[str]:
    yield f"{info.name} {info.version}".strip()
    facts = {"from": info.origin, "entry point": info.target, "file": info.file}
    yield from (f"  {name}: {value}" for name, value in facts.items() if value)
    yield f"  loaded in {1000 * info.seconds:.0f} ms"
    yield from (f"  {kind}: {', '.join(names)}" for kind, names in info.brings.items())
    if info.hooks:
        yield f"  hooks: {', '.join(info.hooks)}"
    yield "  on" if info.error is None else f"  off: {info.error}"
    yield from (f"    {line}" for line in info.details.splitlines())


def installed() -> list[PluginInfo]:
    """List every installed plugin, those that are off too, without their usual warning."""
    from multigraft.plugins.catalog import Catalog

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Catalog().plugins


def table(found: Sequence[PluginInfo]) -> Table:
    """The plugins as a table."""
    from rich import box
    from rich.table import Table

    from multigraft.evaluation.report.table import words

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("plugin", "version", "from", "brings", "state"):
        shown.add_column(heading, overflow="fold")
    for info in found:
        brings = "\n".join(f"{kind}: {', '.join(names)}" for kind, names in info.brings.items())
        state = words("on", "green") if info.error is None else words(f"off: {info.error}", "red")
        shown.add_row(
            words(info.name, "bold"), *map(words, (info.version, info.origin, brings)), state
        )
    return shown
