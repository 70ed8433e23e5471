"""Commands of the command line. Nothing here imports torch before a command needs it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import Any

from multigraft.errors import memory_told, out_of_memory
from multigraft.system.terminal import harmless

FAILED = 1
SIGNALLED = 128
"""Plus the signal's number, as shells count."""
PIPE = getattr(signal, "SIGPIPE", 13)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``multigraft`` with these arguments (or the process's); return the exit code."""
    try:
        return _main(arguments)
    except BaseException as error:  # before, or where, a command's own shell could be made
        if not out_of_memory(error):
            raise
        sys.stderr.write(harmless(memory_told(error)) + "\n")
        return FAILED


def _main(arguments: Sequence[str] | None) -> int:
    from multigraft.cli.console import ReaderLeft, desk, let_go

    try:
        with desk():
            return _run(arguments)
    except ReaderLeft:
        let_go()
        return SIGNALLED + PIPE
    except OSError as error:  # a full disk took less than was said
        let_go()
        if out_of_memory(error):
            raise
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        return FAILED


def _run(arguments: Sequence[str] | None) -> int:
    from multigraft.cli.app import build

    try:
        code = build()(
            args=None if arguments is None else list(arguments),
            prog_name="multigraft",
            standalone_mode=False,
        )
    except SystemExit as ended:
        code = ended.code
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return _wrong_usage(error)
    if isinstance(code, str):  # as the interpreter itself ends with a text
        sys.stderr.write(harmless(code) + "\n")
        return FAILED
    return code if isinstance(code, int) else int(code is not None)


def _wrong_usage(error: Any) -> int:
    """Say what is wrong with the arguments, which may be the names of a stranger's files."""
    from typer.rich_utils import rich_format_error

    error.message = harmless(str(error.message))
    rich_format_error(error)
    return int(error.exit_code)
