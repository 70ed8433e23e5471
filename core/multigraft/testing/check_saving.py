"""Checks of a backbone's folder: the same bits and reader come back, and nothing is pickled."""

from __future__ import annotations

import copy
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from multigraft.errors import MultigraftError
from multigraft.testing.arrays import gap
from multigraft.testing.untrained import computed, grow
from multigraft.testing.workbench import Subject

PICKLES = {".bin", ".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib"}
LABELS = ("a", "b", "c")


def saved(subject: Subject) -> Iterator[str]:
    """Check that what `save` wrote is read back bit for bit, with and without a classifier."""
    grown = grow(subject.bench, subject.record)
    module = copy.deepcopy(grown.module)
    _disturb(module)
    head = nn.Linear(module.width, len(LABELS), bias=module.head_bias)
    for name, given, labels in (("plain", None, ()), ("classifier", head, LABELS)):
        folder = subject.bench.room("saved", subject.record.name, name)
        module.save(folder, head=given, labels=labels)
        yield from _pickled(folder)
        try:
            again = grown.again(folder)
        except MultigraftError as error:
            yield f"{name}: build refuses the folder that save wrote: {error}"
            continue
        yield from _same(name, module, again)
        if not torch.equal(*(computed(each, grown.batch(0, 1)).pooled for each in (module, again))):
            yield f"{name}: the saved weights give other features than those in memory"


@torch.no_grad()
def _disturb(module: nn.Module) -> None:
    """Give every number another value than a new module has, so that one that is lost is seen."""
    torch.manual_seed(5)
    for value in module.state_dict().values():
        if value.is_floating_point():
            value.add_(torch.rand_like(value).mul_(0.01))


def _same(name: str, module: nn.Module, again: nn.Module) -> Iterator[str]:
    ours, theirs = module.state_dict(), again.state_dict()
    if lost := sorted(ours.keys() ^ theirs.keys()):
        yield f"{name}: {lost[0]!r} is only on one side of the folder"
    changed = [
        key for key in ours.keys() & theirs.keys() if not torch.equal(ours[key], theirs[key])
    ]
    if changed:
        yield f"{name}: {len(changed)} weights come back changed, as {min(changed)!r}"


def _pickled(folder: Path) -> Iterator[str]:
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if file.suffix in PICKLES or _is_pickle(file):
            yield f"save wrote {file.name}, which can run code when it is read"


def _is_pickle(file: Path) -> bool:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            return any(name.endswith(".pkl") for name in archive.namelist())
    with file.open("rb") as stream:
        start = stream.read(9)
    # safetensors: the length of its header, whose bytes may be anything, comes first
    if start[8:] == b"{":
        return False
    return len(start) >= 2 and start[0] == 0x80 and 2 <= start[1] <= 5  # a pickle's protocol


def own_reader(subject: Subject) -> Iterator[str]:
    """Check that the saved folder alone, or its reader's spec as JSON, says how rows are read."""
    grown = grow(subject.bench, subject.record)
    folder = subject.bench.room("own", subject.record.name)
    grown.module.save(folder, head=None, labels=())
    options = {} if grown.family.trial is None else grown.family.trial.reader
    spec = grown.family.reader(replace(grown.origin, path=folder), options)
    if grown.modality.fit is not None:
        spec = grown.modality.fit(iter(()), spec)  # it is complete: nothing is left to learn
    given = json.loads(json.dumps(grown.reader.spec()))
    for source, described in (("its folder", spec), ("its reader's JSON", given)):
        again = grown.modality.reader(described)
        gaps = [gap(grown.reader.read(raw), again.read(raw)) for raw in grown.raws[:4]]
        if found := next(filter(None, gaps), ""):
            yield f"the reader that {source} describes reads differently: {found}"
