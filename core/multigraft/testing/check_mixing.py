"""Checks of an augmentation that mixes the rows of a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from multigraft.contracts.mixing import Mixture
from multigraft.contracts.reader import MixingAugment
from multigraft.contracts.readers import collate
from multigraft.contracts.records import Modality, Option
from multigraft.contracts.types import Arrays
from multigraft.testing.arrays import copied, gap
from multigraft.testing.checks import Skipped
from multigraft.testing.workbench import Subject

ROWS = 5


def mixes(subject: Subject) -> Iterator[str]:
    """A mixture follows from its generator, leaves its batch, and says whose rows it holds."""
    record: Modality = subject.record
    if record.augment is None:
        raise Skipped("it has no augmentation")
    reader, raws = subject.bench.reading(record), subject.bench.raws(record)
    made = [record.augment("light", reader, each) for each in _raised(record.augment_options)]
    mixing = [each for each in made if isinstance(each, MixingAugment)]
    if not mixing:
        raise Skipped("its augmentation mixes no rows")
    rows = [reader.read(raw) for raw in raws[:ROWS]]
    batch = {**collate(rows, reader.fills), "label": np.arange(ROWS)}
    for each in mixing:
        yield from _mixed(each, batch)


def _raised(options: Mapping[str, Option]) -> Iterator[dict[str, Any]]:
    """The defaults, with one number after another at its upper bound, so that whatever mixes
    does."""
    usual = {name: option.default for name, option in options.items()}
    yield usual
    for name, option in options.items():
        if option.high is not None and not isinstance(option.default, bool):
            kind = float if option.default is None else type(option.default)
            yield {**usual, name: kind(option.high)}


def _mixed(change: MixingAugment, batch: Arrays) -> Iterator[str]:
    kept = copied(batch)
    one, other = (change.mix(copied(batch), np.random.default_rng(7)) for _ in range(2))
    if found := gap(_arrays(one), _arrays(other)):
        yield f"the same generator mixes otherwise: {found}"
    change.mix(batch, np.random.default_rng(8))
    if found := gap(kept, batch):
        yield f"it writes into the batch that it was given: {found}"
    yield from _sound(one, batch)


def _arrays(mixture: Mixture) -> Arrays:
    return {**mixture.changed, "partner": mixture.partner, "share": mixture.share}


def _sound(mixture: Mixture, batch: Arrays) -> Iterator[str]:
    """Its partners are rows of the batch, its shares shares, its arrays those of the reader."""
    numbers = set(range(ROWS))
    if mixture.partner.shape != (ROWS,) or not set(mixture.partner.tolist()) <= numbers:
        yield f"partner is {mixture.partner.tolist()}; a row of the batch for each is needed"
    if mixture.share.shape != (ROWS,) or not ((mixture.share >= 0) & (mixture.share <= 1)).all():
        yield f"share is {mixture.share.tolist()}; a number from 0 to 1 for each row is needed"
    for name, array in mixture.changed.items():
        if name not in batch or name == "label":
            yield f"it changes {name!r}, which is no array of the reader"
        elif (array.shape, array.dtype) != (batch[name].shape, batch[name].dtype):
            yield f"{name!r} has another type or shape than before"
