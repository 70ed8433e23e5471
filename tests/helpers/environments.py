"""Python environments of their own, which see the libraries installed here and nothing else of
ours."""

from __future__ import annotations

import os
import site
import subprocess
import venv
from pathlib import Path

from helpers.packages import ROOT


def fresh(folder: Path) -> str:
    """A new environment that sees the libraries installed here, and nothing of ours but this source
    tree."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    (target,) = (folder / "lib").glob("python*/site-packages")
    here = [ROOT / "core", ROOT / "plugins", *site.getsitepackages()]
    (target / "here.pth").write_text("\n".join(map(str, here)) + "\n")
    return str(python)


def pip(python: str, *arguments: str) -> None:
    done = subprocess.run(
        [python, "-m", "pip", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def clean() -> dict[str, str]:
    """The environment less what would lead Python elsewhere."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONHOME")
    }
