"""Rows with captions, without torch."""

from __future__ import annotations

from multigraft.models.tasks.written_rows import RowsByReader


class CaptionRows(RowsByReader):
    """A caption of what is read, in the column ``caption``."""

    whole = False
    column = "caption"
    monitor = "chrf"
    greater_is_better = True
