"""Checks of a file format: what it makes of files that are none of its kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from multigraft.contracts.formats import PLAIN, Format, Parsed
from multigraft.testing.workbench import Subject

FOREIGN: Mapping[str, bytes] = {
    "an empty file": b"",
    "a file of zeros": bytes(64),
    "a file of random bytes": np.random.default_rng(0).bytes(4096),
    "a page of the web": b"<!DOCTYPE html><html><body>no rows here</body></html>\n",
}


def foreign(subject: Subject) -> Iterator[str]:
    """A foreign file raises, or gives columns of one length whose bad rows are among them."""
    record: Format = subject.record
    for number, (what, content) in enumerate(FOREIGN.items()):
        path = subject.bench.room("formats") / f"{record.name}-{number}{(*record.endings, '')[0]}"
        path.write_bytes(content)
        try:
            found = record.read(path, PLAIN)
        except Exception:  # whatever it says, the engine names the file with it
            continue
        yield from (f"of {what} {fault}" for fault in _faults(found))


def _faults(found: object) -> Iterator[str]:
    if not isinstance(found, Parsed):
        yield f"it gave {type(found).__name__}; mg.Parsed is needed"
        return
    counts = {name: len(values) for name, values in found.columns.items()}
    if len(set(counts.values())) > 1:
        yield f"it gave columns of different lengths: {counts}"
    rows = max(counts.values(), default=0)
    if beyond := [row for row in found.bad if not 0 <= row < max(rows, 1)]:
        yield f"it gave the bad row {beyond[0]}, and {rows} rows"
