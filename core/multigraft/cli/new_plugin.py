"""``new-plugin``: create a plugin package from the template."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from multigraft.cli.shell import AsJson, Shell


class Kind(StrEnum):
    """Kind of plugin: what it brings."""

    BACKBONE = "backbone"
    TASK = "task"
    STRATEGY = "strategy"
    MODALITY = "modality"


Name = Annotated[str, typer.Argument(metavar="NAME", help="As bird-songs.", show_default=False)]
OfKind = Annotated[Kind, typer.Option("--kind", help="What it brings.", show_default=False)]
Into = Annotated[Path, typer.Option("--into", metavar="DIR", help="Where its folder is made.")]


def new_plugin(
    shell: Shell, name: Name, *, kind: OfKind, into: Into = Path(), as_json: AsJson = False
) -> None:
    """Make a complete plugin to start from: a package with a working example and its tests."""
    from multigraft.plugins import scaffold

    folder = scaffold.new_plugin(name, kind.value, into=into)
    if as_json:
        files = sorted(
            path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
        )
        shell.say_json(
            {"folder": str(folder), "package": scaffold.package_of(name), "files": files}
        )
        return
    shell.say(str(folder))
    shell.tell(
        f'next: cd {folder}; pip install -e ".[dev]"; pytest; multigraft check-plugin {name}'
    )
    shell.tell("left to you: a LICENSE, and what the plugin does")
