"""Notebook screen: progress as one output of the cell, with a line for each epoch and stage."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from multigraft.contracts.numbers import duration
from multigraft.system.notebook import Output, table, words

EVERY = 0.25
"""Seconds, at least, between two showings of a bar that moves."""
EPOCHS = 10
"""As many of the last epochs are shown."""


@dataclass
class Stage:
    """What is under way."""

    what: str
    total: int | None
    done: int = 0
    first: int = 0
    """Where it began: a training may go on from a step."""
    numbers: str = ""
    unit: str = "rows"
    began: float = 0.0

    @property
    def left(self) -> str:
        """How long the rest takes, by the pace so far; empty where that is not known."""
        made = self.done - self.first
        if self.total is None or made <= 0 or self.done >= self.total:
            return ""
        seconds = (time.monotonic() - self.began) / made * (self.total - self.done)
        return f"{duration(seconds)} left"

    def ended(self) -> str:
        """The stage in a line, once it is over."""
        count = f", {self.done:,} {self.unit}" if self.done else ""
        return f"{self.what}{count}, {duration(time.monotonic() - self.began)}"


class NotebookScreen:
    """Progress in a cell's output, which is shown anew in its place; the next `begin` or `train`
    behind `close` has another output, that of the cell which then runs."""

    def __init__(self) -> None:
        self._stage: Stage | None = None
        self._ended: list[str] = []
        self._epochs: list[Mapping[str, str]] = []
        self._output = Output()
        self._shown = float("-inf")

    def begin(self, what: str, total: int | None) -> None:
        """Show a stage's bar below those that ended."""
        self._end()
        self._stage = Stage(what, total, began=time.monotonic())
        self._show()

    def advance(self, count: int) -> None:
        """Move the stage's bar."""
        if self._stage is not None:
            self._stage.done += count
            self._show_now_and_then()

    def train(self, total: int | None, step: int) -> None:
        """Show the training's bar."""
        self._end()
        self._stage = Stage(
            "training", total, done=step, first=step, unit="steps", began=time.monotonic()
        )
        self._show()

    def step(self, step: int, epoch: int, numbers: str) -> None:
        """Move the training's bar."""
        if self._stage is not None:
            self._stage.what, self._stage.done = f"epoch {epoch}", step
            self._stage.numbers = numbers
            self._show_now_and_then()

    def tell(self, parts: Mapping[str, str]) -> None:
        """Add a line to the table of epochs."""
        self._epochs.append(parts)
        self._show()

    def close(self) -> None:
        """Show how it ended, and leave the output as it is."""
        if self._stage is not None:
            if self._stage.unit == "steps":
                self._stage.what = "training"
            self._end()
            self._show()
        self._ended, self._epochs, self._output = [], [], Output()
        self._shown = float("-inf")

    def _end(self) -> None:
        if self._stage is not None:
            self._ended.append(self._stage.ended())
            self._stage = None

    def _show_now_and_then(self) -> None:
        if time.monotonic() - self._shown >= EVERY:
            self._show()

    def _show(self) -> None:
        self._output.show("".join(self._parts()), "\n".join(self._lines()))
        self._shown = time.monotonic()

    def _parts(self) -> Iterator[str]:
        """As HTML: the epochs, what ended, what is under way."""
        if self._epochs:
            columns = list(dict.fromkeys(name for each in self._epochs for name in each))
            rows = [[each.get(name, "") for name in columns] for each in self._epochs[-EPOCHS:]]
            yield table([columns, *rows])
        if self._ended:
            yield f"<p><small>{words('; '.join(self._ended))}</small></p>"
        if self._stage is not None:
            yield f"<p>{_bar(self._stage)}<small>{words(_beside(self._stage))}</small></p>"

    def _lines(self) -> Iterator[str]:
        """The same as text."""
        for each in self._epochs[-EPOCHS:]:
            yield "  ".join(f"{name} {figure}".strip() for name, figure in each.items())
        yield from self._ended
        if self._stage is not None:
            yield _beside(self._stage)


def _bar(stage: Stage) -> str:
    """The browser's own bar; one that only moves where the end is not known."""
    at = "" if stage.total is None else f' value="{stage.done}" max="{stage.total}"'
    return f"<progress{at}></progress>"


def _beside(stage: Stage) -> str:
    count = f"{stage.done:,}" if stage.total is None else f"{stage.done:,}/{stage.total:,}"
    counted = count if stage.done or stage.total else ""
    parts = (stage.what, counted, stage.numbers, stage.left)
    return "  ".join(part for part in parts if part)
