"""``demo``: the whole way once, in each modality, on data made on the spot."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from multigraft.cli.shell import Shell


class Modality(StrEnum):
    """Modality that the demo can be limited to."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"


Out = Annotated[Path, typer.Option("--out", help="The folder it writes to.")]
Only = Annotated[Modality | None, typer.Option("--only", help="One modality.", show_default=False)]


def demo(shell: Shell, out: Out = Path("demo-out"), only: Only = None) -> None:
    """Pretrain, finetune, export and predict on data made on the spot, and from published
    weights where their packages are installed."""
    from multigraft.cli import demo as show

    show.main(out, only=None if only is None else only.value)
    shell.tell(f"everything it wrote is in {out}")
