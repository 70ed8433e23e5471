"""Memory budget: bytes that values may take at once, while they are read and while they wait."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass


class Room:
    """A budget of bytes, handed out in the order of asking, so that no large value starves.

    A value that is larger than all of it is let in alone. For the event loop's thread only.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.taken = 0
        """Bytes."""

    async def take(self, need: int) -> Share:
        """Wait until ``need`` bytes are free, and have them."""
        if self._waiting or not self._fits(need):
            await self._stand_in_line(need)
        else:
            self.taken += need
        return Share(self, need)

    def change(self, by: int) -> None:
        """Count bytes that are taken without asking, or given back."""
        self.taken += by
        self._let_in()

    async def _stand_in_line(self, need: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((need, turn))
        try:
            await turn
        except asyncio.CancelledError:
            # it was let in a moment before its request ended
            if turn.done() and not turn.cancelled():
                self.change(-need)
            else:
                self._let_in()
            raise

    def _let_in(self) -> None:
        while self._waiting:
            need, turn = self._waiting[0]
            if not turn.done() and not self._fits(need):
                return
            self._waiting.popleft()
            if not turn.done():
                self.taken += need
                turn.set_result(None)

    def _fits(self, need: int) -> bool:
        return not self.taken or self.taken + need <= self._size


@dataclass
class Share:
    """Bytes that one value has."""

    room: Room
    size: int

    def keep(self, size: int) -> None:
        """Hold ``size`` bytes from now on."""
        before, self.size = self.size, size
        self.room.change(size - before)

    def give_back(self) -> None:
        """Hold none; more than once is as good as once."""
        self.keep(0)
