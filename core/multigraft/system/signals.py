"""Graceful shutdown: on SIGINT or SIGTERM finish the step, save a checkpoint, exit."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

log = logging.getLogger("multigraft")
HEEDED = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def unheard() -> Iterator[None]:
    """Let forked processes hear no such signal until they call `heed_parent`."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def heed_parent() -> None:
    """Leave this forked process only at its parent's word: terminals signal whole groups.

    The parent needs its workers to the end of the step that it saves. Where a signal's sender
    cannot be told (macOS, Windows), the worker heeds every SIGTERM.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):
        threading.Thread(target=_await_parent, daemon=True).start()
    elif hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEEDED)


def _await_parent() -> None:
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != os.getppid():
        pass
    os._exit(0)


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop (Ctrl-C, or a scheduler's SIGTERM) and has saved its state."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number


class Stopping:
    """Turns a signal into `Interrupted`, at once or, within `held`, at the end of the block."""

    def __init__(self, *, alone: bool = True) -> None:
        """``alone`` answers what this process hears; else it is answered when all have agreed, by
        `agree`."""
        self.alone = alone
        self.heard: int | None = None
        """The signal that came to this process."""
        self._agreed: int | None = None
        """The signal that is answered."""
        self._held = False

    def agree(self, number: int) -> None:
        """Answer this signal, as all other processes of the training do at this same place."""
        self._agreed = self._agreed or number

    @contextmanager
    def heeding(self) -> Iterator[None]:
        """Heed SIGINT and SIGTERM; not outside the main thread, where none can be."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: dict[int, Any] = {number: signal.signal(number, self._hear) for number in HEEDED}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the block end before a signal is answered."""
        self._held, outer = True, self._held
        try:
            yield
        finally:
            self._held = outer
        if self._agreed is not None and not outer:
            raise Interrupted(self._agreed)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.heard is not None and number == signal.SIGINT:
            raise KeyboardInterrupt  # asked twice: leave at once
        self.heard = number
        log.warning("%s: saving; once more (Ctrl-C) to leave at once", signal.Signals(number).name)
        if self.alone:
            self.agree(number)
            if not self._held:
                raise Interrupted(number)
