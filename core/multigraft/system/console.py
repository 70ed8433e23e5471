"""Console: a rich console on which words from outside cannot control the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console as RichConsole
from rich.console import ConsoleDimensions, ConsoleOptions, RenderableType
from rich.segment import Segment

from multigraft.system.terminal import harmless

NARROWEST = 40


class Console(RichConsole):
    """A console on which a stranger's words are words: in a text, a table or a log line."""

    @property  # type: ignore[misc]
    def size(self) -> ConsoleDimensions:
        """Width and height; a terminal too narrow for a table wraps lines and loses no word."""
        width, height = super().size
        return ConsoleDimensions(max(width, NARROWEST), height)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render what is printed, in pieces; only those of rich may control the terminal."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else harmless(text), style, control)


def watched_console() -> Console | None:
    """Standard error where somebody watches: a terminal, or a notebook's cell; None elsewhere."""
    console = Console(stderr=True)
    terminal = sys.stderr is not None and sys.stderr.isatty()
    return console if terminal or console.is_jupyter else None
