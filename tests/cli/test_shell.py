"""Exit codes, errors, streams, and what a command costs to start."""

from __future__ import annotations

import errno
import json
import logging
import subprocess
import sys
import warnings
from typing import Any

import pytest

from multigraft.errors import BundleError, OutOfMemory, RecipeError, RunError, UnknownName
from multigraft.plugins.info import PluginOff

COMMANDS = (
    "finetune",
    "pretrain",
    "resume",
    "evaluate",
    "compare",
    "runs",
    "export",
    "predict",
    "plugins",
    "recipe",
    "schema",
    "demo",
)
TRAIN = (
    "finetune",
    "--task",
    "text-classification",
    "--backbone",
    "bert-tiny",
    "--data",
    "rows.csv",
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RunError("it broke\n  there"), 1),
        (BundleError("it broke\n  there"), 1),
        (UnknownName("it broke\n  there"), 2),
        (RecipeError(["it broke", "there"]), 2),
        (ValueError("it broke there"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_an_error_is_its_text_and_a_code(
    cli: Any, calls: Any, error: BaseException, code: int
) -> None:
    calls.raises = error
    said = cli(*TRAIN)
    assert (said.code, said.out) == (code, "")
    assert "Traceback" not in said.err
    for line in str(error).splitlines():
        assert line in said.err


@pytest.mark.parametrize(
    ("code", "said"), [(None, "sys.exit()"), (0, "sys.exit(0)"), ("bye", "sys.exit('bye')")]
)
def test_nothing_ends_a_command_in_silence(cli: Any, calls: Any, code: Any, said: str) -> None:
    calls.raises = SystemExit(code)
    heard = cli(*TRAIN)
    assert (heard.code, heard.out) == (1, "")
    assert f"something called {said} in the middle of this" in heard.err


def test_an_unforeseen_error_is_one_line_and_a_hint(cli: Any, calls: Any) -> None:
    calls.raises = KeyError("first\nsecond")
    said = cli(*TRAIN, "--quiet")
    assert said.err.splitlines()[0].startswith("KeyError: ")
    assert "--debug" in said.err.splitlines()[1]


class PanicException(BaseException):
    """As Rust's libraries raise it: a class of that name, and no Exception."""


def test_a_panic_is_an_unforeseen_error_too(cli: Any, calls: Any) -> None:
    calls.raises = PanicException("index out of bounds")
    said = cli(*TRAIN)
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[0] == "PanicException: index out of bounds"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "MemoryError"),
        (
            ImportError("libx.so: failed to map segment from shared object"),
            "libx.so: failed to map segment",
        ),
        (PanicException("ThreadPoolBuildError"), "ThreadPoolBuildError"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "[Errno 12] Cannot allocate memory"),
        (SystemError("an import failed"), "an import failed"),
    ],
)
def test_memory_that_ran_out_anywhere_is_told_in_a_line(
    cli: Any, calls: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, told: str
) -> None:
    def fails(*args: Any, **kwargs: Any) -> None:
        raise MemoryError

    calls.raises = error
    # what styles a line has no room either
    monkeypatch.setattr("multigraft.cli.shell.Shell.warn", fails)
    said = cli(*TRAIN, "--quiet")
    assert (said.code, said.out) == (1, "")
    (line,) = said.err.splitlines()
    assert line.startswith(f"memory ran out ({told}")


@pytest.mark.parametrize(
    "where",
    ["multigraft.system.console.Console", "multigraft.cli.app.build", "multigraft.cli._run"],
)
def test_memory_that_ran_out_before_a_command_began_is_told_in_a_line(
    cli: Any, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def fails(*args: Any, **kwargs: Any) -> None:
        raise ImportError("libx.so: failed to map segment from shared object")

    monkeypatch.setattr(where, fails)
    said = cli(*TRAIN)
    told = "memory ran out (libx.so: failed to map segment from shared object); let this process"
    assert (said.code, said.out, said.err) == (1, "", f"{told} have more\n")


def test_a_file_is_not_told_as_broken_where_memory_ran_out(cli: Any, calls: Any) -> None:
    calls.raises = OutOfMemory("rows.csv: cannot be read: memory ran out (malloc failed)")
    said = cli(*TRAIN, "--quiet")
    assert (said.code, said.err) == (
        1,
        "rows.csv: cannot be read: memory ran out (malloc failed)\n",
    )


def test_a_memory_error_shows_where_with_debug(cli: Any, calls: Any) -> None:
    calls.raises = MemoryError()
    assert "Traceback" in cli(*TRAIN, "--debug").err


def test_debug_shows_where(cli: Any, calls: Any) -> None:
    calls.raises = RunError("it broke")
    said = cli(*TRAIN, "--debug")
    assert "Traceback" in said.err and "conftest.py" in said.err
    assert said.code == 1


def test_an_interrupt_says_how_to_go_on(cli: Any, calls: Any) -> None:
    calls.raises = KeyboardInterrupt()
    assert "multigraft resume runs/x" in cli(*TRAIN).err


@pytest.mark.parametrize(
    "arguments", [["--nonsense"], ["finetun"], ["evaluate"], ["evaluate", "x", "--split", "y"]]
)
def test_wrong_usage_is_two(cli: Any, arguments: list[str]) -> None:
    said = cli(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err


def test_what_libraries_print_does_not_reach_stdout(
    cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import multigraft.cli.checkup as checkup

    def noisy() -> dict[str, str]:
        print("noise")
        logging.getLogger("multigraft").warning("careful [x]")
        warnings.warn("a plugin is off", PluginOff, stacklevel=1)
        warnings.warn("a plugin is off", PluginOff, stacklevel=1)
        warnings.warn("a library's own", UserWarning, stacklevel=1)
        return {}

    monkeypatch.setattr(checkup, "look_at_machine", noisy)
    said = cli("doctor", "--json")
    json.loads(said.out)
    assert said.err.splitlines() == ["noise", "warning: careful [x]", "warning: a plugin is off"]


def test_the_logger_is_left_as_it_was(cli: Any, calls: Any) -> None:
    logger = logging.getLogger("multigraft")
    before = (list(logger.handlers), logger.level, logger.propagate)
    cli(*TRAIN)
    assert (logger.handlers, logger.level, logger.propagate) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_the_common_flags(cli: Any, command: str) -> None:
    said = cli(command, "--help")
    assert said.code == 0
    assert "--quiet" in said.out and "--debug" in said.out


def test_help_names_the_exit_codes(cli: Any) -> None:
    text = " ".join(cli("--help").out.split())
    assert "0 done, 1 failed, 2 wrong recipe or usage, 130 interrupted" in text


def test_the_version_is_one_line(cli: Any) -> None:
    from multigraft import __version__

    assert cli("--version").out == f"multigraft {__version__}\n"


TORCHLESS = (
    ["--help"],
    ["finetune", "--help"],
    ["plugins"],
    ["schema"],
    ["recipe"],
    ["predict", "x", "y"],
)


def modules_after(arguments: list[str]) -> set[str]:
    """What a fresh process has imported when the command ends."""
    code = (
        "import sys; from multigraft.cli import main; main(sys.argv[1:]); "
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.__stderr__)"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", TORCHLESS)
def test_torch_is_not_imported_for_what_needs_none(arguments: list[str]) -> None:
    found = modules_after(arguments)
    assert "multigraft" in found
    assert not {"torch", "transformers", "timm", "datasets"} & found


def test_help_imports_nothing_but_the_command_line() -> None:
    assert not {"numpy", "pydantic", "yaml", "pluggy", "jinja2"} & modules_after(["--help"])
