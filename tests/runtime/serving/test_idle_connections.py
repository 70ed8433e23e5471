"""Connections that stand still are ended, but none that still waits for its answer."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from multigraft.runtime.serving.idle_connections import Sweep


class Connection:
    """What the sweep looks at."""

    def __init__(self, *, answered: bool, closing: bool) -> None:
        self.ended = False
        self.cycle = SimpleNamespace(response_complete=answered)
        self.transport: Any = SimpleNamespace(
            get_write_buffer_size=lambda: 7, is_closing=lambda: closing, abort=self.end
        )

    def end(self) -> None:
        self.ended = True


@pytest.mark.parametrize(
    ("answered", "closing", "ended"),
    [
        (True, False, True),
        (False, False, False),  # it is being answered
        (False, True, True),  # a stream that was broken off, of which nothing is taken any more
    ],
)
def test_who_takes_nothing_is_let_go(
    answered: bool, closing: bool, ended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Connection(answered=answered, closing=closing)
    sweep = Sweep(lambda: {connection}, patience=1, idle=1)
    for now in (0.0, 1.5, 3.0):
        monkeypatch.setattr(
            "multigraft.runtime.serving.idle_connections.time.monotonic", lambda now=now: now
        )
        asyncio.run(sweep())
    assert connection.ended is ended
