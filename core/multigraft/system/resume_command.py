"""Resume command: how to go on with a run, alone or by torchrun, as the run was started."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

from multigraft.system.files import check_plain

RECORD = "run.json"
RECORD_BYTES = 2**26
"""The most bytes of a record; one with 100,000 labels takes 3 MB."""
PROCESSES = 2**16
"""The most processes that a record may speak of."""


def resume_command(folder: Path, *, verb: str = "resume") -> str:
    """Command to go on with the run in ``folder``, with as many processes as it began with.

    >>> resume_command(Path("runs/reviews"))
    'multigraft resume runs/reviews'
    """
    return f"{launcher(_processes(folder))} {verb} {shlex.quote(str(folder))}"


def launcher(processes: int) -> str:
    """Launcher with which so many processes take part in a command.

    >>> launcher(1), launcher(2)
    ('multigraft', 'torchrun --nproc-per-node 2 -m multigraft.cli')
    """
    return (
        "multigraft"
        if processes == 1
        else f"torchrun --nproc-per-node {processes} -m multigraft.cli"
    )


def _processes(folder: Path) -> int:
    """As the run's record says; where it has none that can be read, as many as there are now."""
    try:
        check_plain(folder / RECORD, limit=RECORD_BYTES)
        said: Any = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        count = said["machine"]["processes"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        count = os.environ.get("WORLD_SIZE", "1")
    usual = str(count).isdecimal() and 1 <= int(count) <= PROCESSES
    return int(count) if usual else 1
