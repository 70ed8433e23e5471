"""Process-wide lock on torch's state: one training, or any number of lesser works.

torch draws all random numbers of a process from one generator, which a training seeds at every
step; the number of threads, the choice of algorithms and a training's fast dropout belong to the
whole process too. What works in another thread would change a training's numbers without a word, so
it is refused.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch

from multigraft.errors import RunError

OWN = "in a process of its own (`multigraft` on the command line is one)"


@dataclass(frozen=True)
class _Turn:
    """A work that is going on."""

    kind: Literal["training", "other"]
    what: str
    process: int
    """A forked process inherits this list, and none of the works in it."""
    thread: int

    @property
    def mine(self) -> bool:
        """Whether this thread is at it."""
        return self.thread == threading.get_ident()


_turns: list[_Turn] = []
_changing = threading.Lock()


def idle() -> bool:
    """Tell whether nothing is at work in this process."""
    with _changing:
        return not any(turn.process == os.getpid() for turn in _turns)


@contextmanager
def training(what: str) -> Iterator[None]:
    """Hold the process for one training. Raises RunError where anything else is at work in it.

    ``what`` says which, for others that are refused.
    """
    with _entered(_Turn("training", what, os.getpid(), threading.get_ident())):
        yield


@contextmanager
def beside(what: str) -> Iterator[None]:
    """Open, measure or export. Raises RunError where another thread trains.

    Within a training, as in a callback's function, it leaves torch's random state as it was.
    """
    with _entered(_Turn("other", what, os.getpid(), threading.get_ident())) as nested:
        if not nested:
            yield
            return
        with torch.random.fork_rng():
            yield


@contextmanager
def _entered(turn: _Turn) -> Iterator[bool]:
    """Note the work while it goes on; whether it does within a training."""
    with _changing:
        others = [other for other in _turns if other.process == turn.process]
        for other in others:
            _refuse(turn, other)
        _turns.append(turn)
    try:
        yield any(other.kind == "training" for other in others)
    finally:
        with _changing:
            _turns.remove(turn)


def _refuse(turn: _Turn, other: _Turn) -> None:
    """Raise RunError where the one may not begin while the other goes on."""
    where = "this same thread" if other.mine else "another thread"
    if turn.kind == "training" and (other.kind == "training" or not other.mine):
        raise RunError(
            f"{turn.what} cannot begin: {where} of this process is at {other.what}, and the two "
            "would share torch's random state and threads, and change each other's numbers; wait "
            f"for its end, or train {OWN}"
        )
    if other.kind == "training" and not other.mine:
        raise RunError(
            f"{turn.what} cannot begin: {where} of this process is at {other.what}, whose "
            f"random numbers it would change; wait for its end, or do it {OWN}. Bundles may answer "
            "beside it (`multigraft.load`)"
        )
