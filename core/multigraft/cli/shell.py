"""Command wrapper: consoles, warnings, and how an error ends a command."""

from __future__ import annotations

import functools
import inspect
import json
import logging
import signal
import sys
import traceback
import typing
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multigraft.cli import FAILED, SIGNALLED
from multigraft.errors import (
    MultigraftError,
    RecipeError,
    UnknownName,
    memory_told,
    missing_dependency,
    out_of_memory,
)
from multigraft.system.json_numbers import finite
from multigraft.system.rank import leads
from multigraft.system.terminal import escaped_json, harmless

if TYPE_CHECKING:
    from multigraft.system.console import Console

WRONG_USAGE = 2

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, warnings only.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@dataclass(frozen=True)
class Shell:
    """Consoles of a command: answers go to ``out``, everything else to ``err``."""

    out: Console
    err: Console
    quiet: bool = False
    debug: bool = False

    def say_json(self, data: Any) -> None:
        """Print one JSON document; numbers that JSON has no word for become null."""
        plain = str(getattr(self.out.file, "encoding", None) or "utf-8").lower().startswith("utf")
        text = json.dumps(
            finite(data), indent=2, ensure_ascii=not plain, default=str, allow_nan=False
        )
        self.out.file.write(escaped_json(text) + "\n")

    def say(self, text: str) -> None:
        """Print one plain line of the answer, however long."""
        self.out.file.write(harmless(text) + "\n")

    def say_piece(self, text: str) -> None:
        """Print a piece of a line as it comes."""
        self.out.file.write(harmless(text))
        self.out.file.flush()

    def tell(self, text: str) -> None:
        """Print one plain line beside the answer, unless quiet."""
        if not self.quiet:
            self.warn(text)

    def warn(self, text: str, *, style: str = "") -> None:
        """Print one plain line beside the answer, quiet or not."""
        self.err.print(harmless(text), markup=False, highlight=False, soft_wrap=True, style=style)


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Make a typer command of ``function(shell, ...)``: it gets a shell, --quiet and --debug."""

    @functools.wraps(function)
    def run(*, quiet: bool, debug: bool, **values: Any) -> None:
        with _shell(quiet=quiet, debug=debug) as shell:
            function(shell, **values)

    hints = typing.get_type_hints(function, include_extras=True)
    own = [
        parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "shell"
    ]
    shared = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation
        )
        for name, annotation in (("quiet", Quiet), ("debug", Debug))
    ]
    parameters = [*own, *shared]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


@contextmanager
def _shell(*, quiet: bool, debug: bool) -> Iterator[Shell]:
    """A shell for one command. An error becomes its text on stderr and an exit code.

    What libraries print goes to stderr, so that stdout holds the answer alone.
    """
    from multigraft.cli.console import Noise, ReaderLeft
    from multigraft.system.console import Console

    shell = Shell(Console(file=sys.stdout), Console(file=sys.stderr), quiet=quiet, debug=debug)
    noise: Any = Noise(sys.stderr)
    with redirect_stdout(noise), redirect_stderr(noise), warnings.catch_warnings(), _logging(shell):
        warnings.showwarning = _warner(shell)
        try:
            yield shell
        except (typer.Exit, typer.Abort, typer.BadParameter, ReaderLeft):
            raise
        except KeyboardInterrupt as caught:
            _fail(shell, caught, str(caught) or "interrupted")
            raise typer.Exit(SIGNALLED + getattr(caught, "number", signal.SIGINT)) from caught
        except MultigraftError as caught:
            _fail(shell, caught, str(caught))
            wrong = isinstance(caught, RecipeError | UnknownName)
            raise typer.Exit(WRONG_USAGE if wrong else FAILED) from caught
        except ModuleNotFoundError as caught:
            _fail(shell, caught, str(missing_dependency(caught) or caught))
            raise typer.Exit(FAILED) from caught
        except OSError as caught:  # a full disk, a folder that may not be written
            _fail(shell, caught, f"{caught.filename or 'the disk'}: {caught.strerror or caught}")
            raise typer.Exit(FAILED) from caught
        # of a plugin or a library: a command of ours ends by typer.Exit
        except SystemExit as caught:
            code = "" if caught.code is None else repr(caught.code)
            _fail(
                shell,
                caught,
                f"something called sys.exit({code}) in the middle of this{_hint(shell)}",
            )
            raise typer.Exit(FAILED) from caught
        except BaseException as caught:  # a panic of Rust is no Exception
            first = (str(caught).strip().splitlines() or [""])[0]
            _fail(shell, caught, f"{type(caught).__name__}: {first}".rstrip(": ") + _hint(shell))
            raise typer.Exit(FAILED) from caught


def _hint(shell: Shell) -> str:
    return (
        ""
        if shell.debug
        else "\nThis is not an error we foresaw; run it again with --debug to see where."
    )


def _say_short(shell: Shell, error: BaseException) -> None:
    """Tell that memory ran out, with as little of it as a line takes: no library, no style."""
    shell.err.file.write(harmless(memory_told(error)) + "\n")


def _fail(shell: Shell, error: BaseException, text: str) -> None:
    if shell.debug:
        shell.err.file.write(harmless("".join(traceback.format_exception(error))))
    if out_of_memory(error):
        _say_short(shell, error)
        return
    try:
        shell.warn(text, style="red")
    except MemoryError:  # then that is what was wrong, whatever a library made of it
        _say_short(shell, error)


def _warner(shell: Shell) -> Callable[..., None]:
    """Show each of our own warnings once, as a line; those of libraries only with --debug."""
    shown: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: Any) -> None:
        ours = category.__module__.partition(".")[0].startswith("multigraft")
        if str(message) in shown or not (ours or shell.debug):
            return
        shown.add(str(message))
        shell.warn(f"warning: {message}", style="yellow")

    return show


@contextmanager
def _logging(shell: Shell) -> Iterator[None]:
    """Show the "multigraft" logger on stderr while a command runs."""
    from multigraft.cli.logs import ConsoleHandler

    logger = logging.getLogger("multigraft")
    before = logger.level, logger.propagate
    handler = ConsoleHandler(shell.err)
    logger.addHandler(handler)
    quiet = shell.quiet or not leads()
    logger.setLevel(logging.DEBUG if shell.debug else logging.WARNING if quiet else logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
