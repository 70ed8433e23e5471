"""Processes that tests started and did not end."""

from __future__ import annotations

import psutil

OWN = (
    "multiprocessing.resource_tracker",
    "multiprocessing.forkserver",
    "torch/_inductor/compile_worker",
)
"""Helpers of Python and torch, which end with the process that they help."""
SECONDS = 5.0
"""What a process that was told to end may take."""


def end_leftovers() -> list[str]:
    """End the children of this process, and of those, that are still at work; their commands."""
    children = [child for child in psutil.Process().children(recursive=True) if _command(child)]
    _, alive = psutil.wait_procs(children, timeout=SECONDS)
    told = [command for child in alive if (command := _command(child))]
    for child in alive:
        child.kill()
    psutil.wait_procs(alive, timeout=SECONDS)
    return told


def _command(process: psutil.Process) -> str:
    """Its command line; empty for a helper, and for what has ended and waits to be asked how."""
    try:
        dead = process.status() == psutil.STATUS_ZOMBIE
        command = " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""
    return "" if dead or any(name in command for name in OWN) else command or process.name()
