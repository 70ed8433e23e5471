"""Display of a verb's progress: what it is at, and how many rows of all are done."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol


class Display(Protocol):
    """Shows stages one after another inside a ``with``, which closes the last of them."""

    def __enter__(self) -> Display: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def begin(self, what: str, total: int | None = None) -> None:
        """A stage begins, and the one before has ended; of ``total`` rows, where that is known."""
        ...

    def advance(self, count: int) -> None:
        """So many more rows of the stage are done."""
        ...


class Unseen:
    """Where nobody watches: shows nothing."""

    def __enter__(self) -> Unseen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def begin(self, what: str, total: int | None = None) -> None:
        """Nothing."""

    def advance(self, count: int) -> None:
        """Nothing."""


UNSEEN = Unseen()
