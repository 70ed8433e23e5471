"""``plugins``: who brings what, and why one is off."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from multigraft.cli.shell import AsJson, Shell

if TYPE_CHECKING:
    from rich.table import Table

    from multigraft.catalog import PluginInfo


def plugins(shell: Shell, as_json: AsJson = False) -> None:
    """List the installed plugins, what each brings, and why one is off."""
    found = installed()
    if as_json:
        shell.say_json([asdict(info) for info in found])
        return
    shell.out.print(table(found))
    off = sum(info.error is not None for info in found)
    shell.tell(f"{len(found) - off} on, {off} off")


def installed() -> list[PluginInfo]:
    """Every installed plugin, those that are off included, without the warning they give elsewhere."""
    from multigraft.catalog import Catalog

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Catalog().plugins


def table(found: Sequence[PluginInfo]) -> Table:
    """The plugins as a table."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("plugin", "version", "from", "brings", "state"):
        shown.add_column(heading, overflow="fold")
    for info in found:
        brings = "\n".join(f"{kind}: {', '.join(names)}" for kind, names in info.brings.items())
        state = Text("on", "green") if info.error is None else Text(f"off: {info.error}", "red")
        shown.add_row(Text(info.name, "bold"), info.version, info.origin, Text(brings), state)
    return shown
