"""Limits of a server: how much it takes on at once, and how long it waits for what."""

from __future__ import annotations

from dataclasses import dataclass

from multigraft.errors import ServeError
from multigraft.runtime.asking import is_whole

MIB = 2**20
COUNTS = (
    *("max_batch", "queue", "max_items", "max_body", "bodies", "memory", "connections"),
    *("streams", "max_new_tokens"),
)
"""The limits that are whole numbers."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of a server, times in seconds. Raises ServeError where they contradict each other."""

    max_batch: int = 32
    """Rows computed together, at most."""
    wait_ms: float = 5.0
    """How long a row that was read waits for company."""
    queue: int = 256
    """Rows of one model that are read, waiting or computed; more are refused with 429."""
    max_items: int = 64
    """Values in one request."""
    max_body: int = 32 * MIB
    """Bytes of one request."""
    bodies: int = 8
    """Bodies of the largest size that may be held at once, as bytes of all together."""
    memory: int = 768 * MIB
    """Bytes of values while they are read, as their headers tell, and of rows until they are
    computed; what finds no room waits. One value that needs more is let in alone."""
    timeout: float = 30.0
    """From a request's last byte to its answer, and from its first byte to its last."""
    read_timeout: float = 10.0
    """How long a client may send and take nothing while it owes something."""
    drain: float = 20.0
    """How long requests under way may take once the server was asked to stop."""
    connections: int = 512
    streams: int = 8
    """Texts of one model that are told while they are written; more wait."""
    max_new_tokens: int = 1024
    """What a request may ask to be written of a text."""

    def __post_init__(self) -> None:
        if wrong := [name for name in COUNTS if not is_whole(getattr(self, name))]:
            raise ServeError(f"{', '.join(wrong)}: must be whole numbers")
        if wrong := [
            name
            for name, value in vars(self).items()
            if not (value > 0 or (value == 0 and name == "wait_ms"))
        ]:
            raise ServeError(f"{', '.join(wrong)}: must be above 0")
        if self.max_items > self.queue:
            raise ServeError(
                f"a request may hold {self.max_items} items, but only {self.queue} rows may wait: "
                "such a request could never be taken; raise the queue or lower the items"
            )
