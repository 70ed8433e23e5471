"""The command line. Nothing here imports torch before a command needs it."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``multigraft`` with these arguments (the process's own by default); return the exit code."""
    from multigraft.cli.app import build

    try:
        build()(args=None if arguments is None else list(arguments), prog_name="multigraft")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0
