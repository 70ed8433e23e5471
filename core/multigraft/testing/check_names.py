"""Checks of records as they were registered, before anything is built from them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import get_args

from multigraft.contracts.explaining import Explainer
from multigraft.contracts.filters import Filter
from multigraft.contracts.formats import Format
from multigraft.contracts.options import misfit
from multigraft.contracts.records import Backbone, Modality, Option, Strategy, Task
from multigraft.contracts.types import Quantization, Stage
from multigraft.errors import UnknownName
from multigraft.testing.workbench import Subject

NAME = re.compile(r"[a-z0-9]+([-._][a-z0-9]+)*")
SUFFIX = re.compile(r"\.[a-z0-9]+")


def modality(subject: Subject) -> Iterator[str]:
    """Names, columns, options, suffixes and unit of a modality."""
    record: Modality = subject.record
    yield from _name(record.name)
    yield from _options(record.options)
    yield from _options(record.augment_options)
    if not record.columns or not all(isinstance(name, str) and name for name in record.columns):
        yield (
            f"columns is {record.columns!r}; it names at least the column that holds the raw value"
        )
    for suffix in record.suffixes:
        if not SUFFIX.fullmatch(suffix):
            yield (
                f"the suffix {suffix!r} can never match; write it in lower case with its dot, as "
                "'.png'"
            )
    if record.samples is None:
        yield "it registers no samples, so nothing that reads it can be tried"


def backbone(subject: Subject) -> Iterator[str]:
    """Names, modality, sizes, options and quantization of a backbone."""
    record: Backbone = subject.record
    yield from _name(record.name)
    yield from _options(record.options)
    for size in record.sizes:
        yield from _name(size)
    if not record.sizes and record.find is None:
        yield "it has neither sizes nor find, so no recipe can ask for it"
    if record.quantization not in get_args(Quantization):
        yield (
            f"quantization is {record.quantization!r}; allowed: {', '.join(get_args(Quantization))}"
        )
    yield from _known(subject, record.modality)
    trial = record.trial
    if (
        trial is not None
        and trial.size not in record.sizes
        and not (record.find and record.find(trial.size))
    ):
        yield f"trial names the size {trial.size!r}, which it does not have"


def task(subject: Subject) -> Iterator[str]:
    """Names, stage, modalities, columns and options of a task."""
    record: Task = subject.record
    yield from _name(record.name)
    yield from _options(record.options)
    if record.stage not in get_args(Stage):
        yield f"stage is {record.stage!r}; allowed: {', '.join(get_args(Stage))}"
    if not record.modalities and not record.several:
        yield "it names no modality, so no backbone fits it"
    for name in record.modalities:
        yield from _known(subject, name)
    if record.samples is None and set(record.columns) - {"label"}:
        yield (
            f"it registers no samples of its columns {', '.join(record.columns)}, so it cannot be "
            "tried"
        )


def strategy(subject: Subject) -> Iterator[str]:
    """Name and options of a strategy."""
    record: Strategy = subject.record
    yield from _name(record.name)
    yield from _options(record.options)


def format(subject: Subject) -> Iterator[str]:
    """Name of a file format; its endings are checked when it is admitted."""
    record: Format = subject.record
    yield from _name(record.name)


def explainer(subject: Subject) -> Iterator[str]:
    """Name, help and options of an explainer; its kinds are checked when it is admitted."""
    record: Explainer = subject.record
    yield from _name(record.name)
    yield from _options(record.options)
    if not record.help.strip():
        yield "it has no help, by which a person chooses"


def filter(subject: Subject) -> Iterator[str]:
    """Name, modality, options and what a person is told of a filter."""
    record: Filter = subject.record
    yield from _name(record.name)
    yield from _options(record.options)
    if record.modality:
        yield from _known(subject, record.modality)
    for group in record.groups:
        yield from _name(group)
    if not record.help.strip() or not record.source.strip():
        yield "it does not say what it does, and where its rule comes from: help and source"


def _name(name: str) -> Iterator[str]:
    if not NAME.fullmatch(name):
        yield f"the name {name!r} is not lower case with dashes, as 'masked-language-modeling'"


def _known(subject: Subject, name: str) -> Iterator[str]:
    try:
        subject.bench.catalog.modality(name)
    except UnknownName as error:
        yield str(error).splitlines()[0]


def _options(options: Mapping[str, Option]) -> Iterator[str]:
    for name, option in options.items():
        if not isinstance(option, Option):
            yield (
                f"option {name!r} is {type(option).__name__}; write mg.Option(default=..., "
                "help=...)"
            )
            continue
        if not option.help.strip():
            yield f"option {name!r} has no help"
        problem = misfit(option.default, option)
        if option.default is not None and problem:
            yield f"the default {option.default!r} of option {name!r} would be refused: {problem}"
