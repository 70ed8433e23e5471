"""Standard streams of a command: any text is encodable; a reader that has gone is no error."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import IO, Any

from multigraft.system.terminal import laid_out


class ReaderLeft(Exception):
    """Broken pipe: whoever read a command's output has gone, as ``head`` does."""


class Outlet:
    """A standard stream as a command writes to it; a failure to write is never passed over."""

    def __init__(self, stream: IO[str] | None, name: str) -> None:
        self._stream = stream
        self._name = name

    def write(self, text: str) -> int:
        """Write text. Raises ReaderLeft, or OSError with the stream's name."""
        if self._stream is None:
            raise OSError(errno.EBADF, "is closed, so the answer cannot be shown", self._name)
        with self._told():
            return self._stream.write(text)

    def flush(self) -> None:
        """Hand over what waits in a buffer."""
        if self._stream is not None:
            with self._told():
                self._stream.flush()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError as error:
            raise ReaderLeft(self._name) from error
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._name) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Noise:
    """Standard error as libraries write to it: progress bars stay, other controls become codes."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text."""
        return self._stream.write(laid_out(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def desk() -> Iterator[None]:
    """Standard streams of a process while a command runs: whatever their encoding, text is shown.

    What an encoding has no word for is written as its code. What waits in a buffer is written at
    the end, so that a full disk or a reader that has left is found while it can still be told.
    """
    _fill_gaps()
    with ExitStack() as stack:
        if sys.stderr is None:
            stack.enter_context(redirect_stderr(stack.enter_context(_nowhere())))
        for stream in (sys.stdout, sys.stderr):
            stack.enter_context(_lenient(stream))
        out, err = Outlet(sys.stdout, "stdout"), Outlet(sys.stderr, "stderr")
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        yield
        out.flush()
        err.flush()


def let_go() -> None:
    """Stop writing to whoever takes nothing: the interpreter would try again as it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                nothing = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nothing, stream.fileno())
                os.close(nothing)
        except AttributeError:  # it is closed
            continue


@contextmanager
def _lenient(stream: Any) -> Iterator[None]:
    """Let a stream write what its encoding cannot say as codes; as it was when the block ends."""
    before = getattr(stream, "errors", None)
    if before is None or not hasattr(stream, "reconfigure"):
        yield
        return
    stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        # what it still held could not be written: that was told
        with suppress(OSError, ValueError):
            stream.reconfigure(errors=before)


@contextmanager
def _nowhere() -> Iterator[IO[str]]:
    with open(os.devnull, "w", encoding="utf-8") as nothing:  # noqa: PTH123 (a device, no path of ours)
        yield nothing


def _fill_gaps() -> None:
    """Keep the numbers 0, 1 and 2 from files: a library's message would be written into one."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
