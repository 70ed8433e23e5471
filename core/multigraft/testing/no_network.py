"""Block network access during a check and record each attempt."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

CALLS = ("connect", "connect_ex", "sendto")
LOOKUPS = ("create_connection", "getaddrinfo", "gethostbyname")


@contextmanager
def no_network() -> Iterator[list[str]]:
    """Refuse every connection but those within this machine's own files; yield the attempts."""
    asked: list[str] = []

    def refuse(target: object) -> None:
        asked.append(str(target))
        raise OSError(f"there is no network while a plugin is checked; {target} was asked for")

    kept: list[tuple[Any, str, Any]] = []
    try:
        for name in CALLS:
            _replace(kept, socket.socket, name, _of_socket(getattr(socket.socket, name), refuse))
        for name in LOOKUPS:
            _replace(kept, socket, name, lambda *where, **_: refuse(where[0] if where else "?"))
        yield asked
    finally:
        for owner, name, before in reversed(kept):
            setattr(owner, name, before)


def _replace(
    kept: list[tuple[Any, str, Any]], owner: Any, name: str, function: Callable[..., Any]
) -> None:
    kept.append((owner, name, getattr(owner, name)))
    setattr(owner, name, function)


def _of_socket(
    original: Callable[..., Any], refuse: Callable[[object], None]
) -> Callable[..., Any]:
    def call(self: socket.socket, *arguments: Any) -> Any:
        if self.family not in (socket.AF_INET, socket.AF_INET6):
            return original(self, *arguments)
        return refuse(arguments[-1])

    return call
