"""Idle connections: end those that owe something and do nothing; uvicorn waits without an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class Sweep:
    """Aborts, each second, connections that stood still for ``patience`` seconds without a request.

    Such as one that sends half a head, goes on sending after it was refused, or does not take its
    answer. A body that comes slowly is the border's to refuse.
    """

    def __init__(
        self, connections: Callable[[], set[Any]], *, patience: float, idle: float
    ) -> None:
        """``idle``: how long uvicorn keeps a connection between requests before closing it."""
        self._connections = connections
        self._patience = patience
        self._idle = idle
        self._seen: dict[Any, tuple[Any, float]] = {}
        """Connection -> what it looked like, and since when."""

    async def __call__(self) -> None:
        """Look once."""
        now = time.monotonic()
        seen: dict[Any, tuple[Any, float]] = {}
        for connection in list(self._connections()):
            cycle = connection.cycle
            ended = cycle is None or cycle.response_complete or connection.transport.is_closing()
            if not ended:
                continue
            look = (id(cycle), connection.transport.get_write_buffer_size())
            before, since = self._seen.get(connection, (look, now))
            allowed = self._patience if cycle is None else self._patience + self._idle
            if look == before and now - since > allowed:
                connection.transport.abort()
            else:
                seen[connection] = (look, since if look == before else now)
        self._seen = seen
