"""Packages installed in a moment: what pip would write, without pip."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def install(project: Path, site: Path) -> None:
    """Link a project's package into ``site``, beside the metadata by which its entry points are
    found."""
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    write_metadata(site, about["name"], about["version"], about["entry-points"]["multigraft"])
    for package in (project / "src").iterdir():
        (site / package.name).symlink_to(package.resolve())


def write_metadata(site: Path, name: str, version: str, plugins: dict[str, str]) -> None:
    """The metadata of an installed distribution with these entry points."""
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [f"{entry} = {target}" for entry, target in plugins.items()]
    (folder / "entry_points.txt").write_text("\n".join(["[multigraft]", *lines]) + "\n")


def run(command: Sequence[str], *, site: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments in ``folder``, with the packages in ``site`` installed."""
    paths = [str(site), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "NO_COLOR": "1",
    }
    return subprocess.run(
        [sys.executable, *command],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
