"""``web``: write a bundle as a page that answers in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from multigraft.cli.bundle import BundleFolder, OnePrecision, held
from multigraft.cli.shell import Shell

Into = Annotated[Path, typer.Option("--into", help="The folder to write, for any host of files.")]
Packages = Annotated[
    Path | None,
    typer.Option(
        "--packages",
        help="A folder with the archives that npm pack gives; unset, npm fetches what is not "
        "cached.",
        show_default=False,
    ),
]


def web(
    shell: Shell,
    bundle: BundleFolder,
    into: Into,
    *,
    precision: OnePrecision = None,
    packages: Packages = None,
) -> None:
    """Write a page that answers in the browser, without a server of ours; needs no torch."""
    from multigraft.runtime.web.site import write_site

    wanted = None if precision is None else precision.value
    site = write_site(held(bundle), into, precision=wanted, packages=packages)
    shell.tell(
        f"{site}: put it on any host of files; here: python -m http.server --directory {site}"
    )
