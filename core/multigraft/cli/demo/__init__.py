"""`make demo`: the whole way once, in each modality, on data that ordinary packages bring."""

from __future__ import annotations

import shutil
from pathlib import Path


def main(folder: Path, *, only: str | None = None) -> None:
    """Tell every chapter (or ``only`` one) and write ``folder/report.html``; always starts afresh.

    Raises MultigraftError where any part fails.
    """
    import time

    import torch
    from rich.console import Console

    from multigraft.cli.demo.chapters import CHAPTERS
    from multigraft.cli.demo.figures import summary, verdict
    from multigraft.cli.demo.story import tell
    from multigraft.evaluation.report.page import write_page
    from multigraft.evaluation.report.table import show

    torch.set_num_threads(1)  # networks this small only wait for each other on more
    console, started = Console(stderr=True), time.monotonic()
    endings = []
    for chapter in CHAPTERS:
        if only is not None and chapter.modality != only:
            continue
        begun = time.monotonic()

        def say(text: str, name: str = chapter.name, begun: float = begun) -> None:
            took = f"{time.monotonic() - begun:4.0f} s"
            console.print(f"[bold]{name:18}[/] {took}  {text}", highlight=False)

        if chapter.published is not None and chapter.published.found() is None:
            say(f"left out: its weights are not installed; {chapter.published.add}")
            continue
        shutil.rmtree(folder / chapter.name, ignore_errors=True)
        endings.append(tell(chapter, folder / chapter.name, seeds=range(chapter.seeds), say=say))
        say(verdict(endings[-1]))
    report = summary(endings, seconds=time.monotonic() - started)
    show(report, Console())
    details = [detail for ending in endings for detail in ending.reports]
    page = write_page([report, *details], folder / "report.html", title=report.title)
    console.print(f"the same with curves and confusions: {page}", highlight=False)
