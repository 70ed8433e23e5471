"""Plugin discovery: what is installed under the entry points, and which of it is asked for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from types import FrameType

from multigraft.errors import PluginError, did_you_mean
from multigraft.plugins.info import PluginInfo
from multigraft.system.about import __version__
from multigraft.system.environment import WANTED

GROUP = "multigraft"
REQUIRES = "requires_multigraft"
"""The attribute with which a plugin says which versions it was written for, as ``">=0.1,<0.3"``."""


def installed() -> list[PluginInfo]:
    """The installed plugins, not loaded yet: in-tree first, then by name."""
    found = [_info(entry) for entry in entry_points(group=GROUP)]
    return sorted(found, key=lambda info: (not info.in_tree, info.name))


def unwanted(found: Sequence[PluginInfo]) -> frozenset[str]:
    """Names that `WANTED` leaves out. Raises PluginError where it names what is not installed."""
    asked = os.environ.get(WANTED)
    if asked is None:
        return frozenset()
    wanted = {name.strip() for name in asked.split(",") if name.strip()}
    known = {info.name for info in found}
    for name in sorted(wanted - known):
        raise PluginError(f"{WANTED}: no plugin {name!r} is installed; {did_you_mean(name, known)}")
    return frozenset(known - wanted)


def check_version(plugin: object) -> None:
    """Raise PluginError where a plugin was written for other versions of multigraft."""
    wanted = getattr(plugin, REQUIRES, None)
    if wanted is None:
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        allowed = SpecifierSet(str(wanted))
    except InvalidSpecifier as error:
        raise PluginError(f"{REQUIRES} is {wanted!r}; write it as '>=0.1,<0.3'") from error
    if not allowed.contains(__version__, prereleases=True):
        raise PluginError(
            f"needs multigraft {allowed}, and {__version__} is installed; install a version of the "
            f'plugin for it, or: pip install "multigraft{allowed}"'
        )


@contextmanager
def noted_signals() -> Iterator[list[int]]:
    """Note each SIGINT and SIGTERM within: without one a KeyboardInterrupt is the code's own.

    They are answered as before; a handler that the code sets within stays.
    """
    heard: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield heard
        return
    restores = [_note(number, heard) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield heard
    finally:
        for restore in restores:
            restore()


def _note(number: int, heard: list[int]) -> Callable[[], None]:
    """Note a signal before its handler answers it; what to call when that is to end."""
    before = signal.getsignal(number)
    if not callable(before):  # the system's own way raises nothing
        return lambda: None

    def note(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        before(number, frame)

    def restore() -> None:
        if signal.getsignal(number) is note:
            signal.signal(number, before)

    signal.signal(number, note)
    return restore


def _info(entry: EntryPoint) -> PluginInfo:
    distribution = entry.dist
    return PluginInfo(
        name=entry.name,
        version="" if distribution is None else distribution.version,
        origin="" if distribution is None else distribution.name,
        load=entry.load,
        target=entry.value,
    )
