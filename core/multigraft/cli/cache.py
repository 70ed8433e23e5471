"""``cache``: list what the machine keeps so that no run does work twice, and clear it."""

from __future__ import annotations

from typing import Annotated

import typer

from multigraft.cli.shell import AsJson, Shell

Clear = Annotated[
    bool, typer.Option("--clear", help="Remove all of it; runs compute what they need again.")
]
WHAT = {
    "replay": "what frozen parts gave for rows",
    "rows": "decoded rows",
    "tables": "columns of large files",
    "hashes": "fingerprints of files",
    "digests": "fingerprints of rows",
    "npm": "packages that pages are made with",
    "compiled": "what torch's compilers made",
}


def cache(shell: Shell, *, clear: Clear = False, as_json: AsJson = False) -> None:
    """Show what is kept for later runs, by kind, and how much of the limit it takes."""
    from multigraft.system import cache as kept

    folder = kept.cache_folder()
    if clear:
        kept.trim(folder, 0)
    sizes = {
        path.name: kept.folder_size(path) for path in sorted(folder.glob("*")) if path.is_dir()
    }
    if as_json:
        place = None if folder == kept.NOWHERE else str(folder)
        shell.say_json({"folder": place, "limit": kept.cache_limit(), "bytes": sizes})
        return
    if folder == kept.NOWHERE:
        shell.say(f"there is no cache; {kept.FOLDER} names a folder for it")
        return
    shell.out.print(str(folder), markup=False, highlight=False, soft_wrap=True)
    for name, size in sizes.items():
        shell.out.print(
            f"  {name:8} {size / 1e6:10,.1f} MB  {WHAT.get(name, '')}",
            markup=False,
            highlight=False,
        )
    shell.say(
        f"{sum(sizes.values()) / 1e9:.2f} of {kept.cache_limit() / 1e9:g} GB; {kept.LIMIT} sets "
        f"the limit, {kept.FOLDER} the folder"
    )
