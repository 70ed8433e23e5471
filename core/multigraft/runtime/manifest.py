"""Bundle manifest: the records of ``bundle.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from multigraft.contracts.owners import Owner
from multigraft.contracts.records import Option
from multigraft.contracts.types import Spec
from multigraft.runtime.manifest_writing import FORMAT, Generation, Part
from multigraft.system.about import __version__

MOST_TOKENS, MOST_NUMBERS = 2**17, 2**26
"""The largest sample that a manifest may claim: of whole numbers, and of pixels or samples of
sound."""
FIRST = ("classification", "embedding", "outputs")
"""The answers that format 1 can name."""
TASK_OPTIONS, COLUMNS, READING = "task_options", "columns", "reading"
"""The facts that hold the task's options, how the training table called our columns, where it had
other names (ours -> theirs), and how it was read, where not by its ending alone: ``format``,
``encoding``, ``quotes``, and the ``ending`` that it had."""


class Port(Part):
    """An input or output of the graph."""

    name: str
    dtype: str
    """As numpy names it."""
    shape: tuple[int | str, ...]
    """Sizes, or the names of the axes that vary: ``batch``, and those of `Fill.axes`."""


class FileEntry(Part):
    """A file of the bundle."""

    sha256: str
    size: int
    """In bytes."""


class Precision(Part):
    """One graph, what it was measured at on held-out rows, and whether it may be used."""

    accepted: bool
    file: str | None
    """None where it was refused, and so is not in the bundle."""
    reason: str
    """Why it was accepted or refused, with the numbers."""
    metric: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    rows: int = 0
    """How many held-out rows it was measured on."""
    changed: int | None = None
    """How many of them are answered otherwise than in fp32; None where answers are only numbers."""
    parity: float | None = None
    """Largest difference of an output, of fp32 to torch and of the others to fp32: absolute where
    outputs are below 1, else as a share of the largest."""
    size: int = 0
    """In bytes."""
    lost: float | None = None
    """Points lost against fp32 on the same rows, as `export.budget` counts them."""
    lost_low: float | None = None
    lost_high: float | None = None
    """The paired bootstrap interval of ``lost``."""
    floats: tuple[str, ...] = ()
    """Layers of an int8 graph that stay float, because the budget needs it."""
    milliseconds: float | None = None
    """Median time of one row (of a token where these are written), batch 1, when exported."""
    latency: dict[int, float] = Field(default_factory=dict)
    """Rows in a batch -> median milliseconds of that batch there."""
    batch_length: int | None = None
    """The padded length of a batch, rows times the longest row as the reader counts, that takes the
    least time for its rows there."""
    graphs: dict[str, str] = Field(default_factory=dict)
    """Files of further graphs by role (``encoder``); ``file`` is the decoder of tokens."""
    same_tokens: float | None = None
    """Share of held-out tokens at which fp32's most likely one is the most likely one here too."""


class Asks(Part):
    """What may be asked of an answer, as `Option` says it."""

    default: Any = None
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()


class BundleBranch(Part):
    """One branch of several: its graph has its name as role in `Precision.graphs`."""

    modality: str
    backbone: str = ""


class Bundle(Part):
    """The manifest of a bundle, ``bundle.json``."""

    format: Literal[1, 2] = 1
    multigraft: str = __version__
    task: str
    modality: str
    backbone: str = ""
    owners: dict[str, Owner] = Field(default_factory=dict)
    """Who registered the ``task``, ``modality`` (both answer), ``backbone``, ``strategy.0``."""
    reader: Spec
    """As `readers.save_spec` gives it; `readers.load_spec` makes it whole."""
    targets: Spec = Field(default_factory=dict)
    """What `Task.answers` needs, as the labels."""
    decode: Literal["classification", "embedding", "outputs"] | None = None
    """Format 1: core's answers by name; None: the task's own, from its plugin."""
    merge: Literal["mean_probabilities"] | None = None
    """Format 1: how core's answers join windows, for runtimes that looked here; `decode` says
    it."""
    answers: str | None = None
    """Format 2: core's answers by name; None: the task's own, from its plugin."""
    branches: dict[str, BundleBranch] = Field(default_factory=dict)
    """Format 2: what is read side by side, each by a graph of its own; ``file`` is the graph of the
    head, which reads what those give. Empty where one graph does all."""
    asks: dict[str, Asks] = Field(default_factory=dict)
    """Format 2: what may be asked of the task's own answers, for people."""
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    columns: tuple[str, ...] = ()
    """Columns of a raw value in the training rows, as ``text`` alone; empty: not told."""
    sample: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """The shapes of a row of middling length, as a batch of one, within `largest_sample`."""
    precisions: dict[str, Precision]
    default: str
    """The precision that is used where none is asked for."""
    generation: Generation | None = None
    """None where a bundle answers in one step."""
    opset: int
    files: dict[str, FileEntry] = Field(default_factory=dict)
    """Every file beside ``bundle.json``; `seal` fills it."""
    sha256: str | None = None
    """Hash of all else here, as `manifest_hash` gives it; None in bundles of earlier versions."""
    versions: dict[str, str] = Field(default_factory=dict)
    facts: dict[str, Any] = Field(default_factory=dict)
    """How it was trained, for people."""
    notes: tuple[str, ...] = ()

    @property
    def named(self) -> str | None:
        """Core's answers by name; None where they are the task's own."""
        return self.decode if self.format == 1 else self.answers

    def said(self) -> dict[str, Any]:
        """The manifest as JSON, with the fields of its format."""
        foreign = {"answers", "asks", "branches"} if self.format == 1 else {"decode", "merge"}
        said: dict[str, Any] = json.loads(self.model_dump_json(exclude=foreign))
        return said

    @model_validator(mode="after")
    def _small_sample(self) -> Self:
        """Refuse a sample that would take much memory to make: a file claims it in a few bytes."""
        for name, shape in self.sample.items():
            most = largest_sample(
                next((port.dtype for port in self.inputs if port.name == name), "")
            )
            if min(shape, default=1) < 0 or math.prod(max(size, 1) for size in shape) > most:
                raise ValueError(
                    f"sample.{name}: found {list(shape)}; at most {most:,} numbers are allowed"
                )
        return self


def said_of(name: str | None, asks: Mapping[str, Option], *, least: int = FORMAT) -> dict[str, Any]:
    """How a manifest says which answers it has, in the earliest format that can.

    ``name`` is that of core's answers; None: they are the task's own, and ``asks`` is theirs.
    ``least`` is the format that the rest of the manifest needs.

    >>> said_of("embedding", {})
    {'format': 1, 'decode': 'embedding', 'merge': None}
    """
    if least == FORMAT and (name in FIRST or (name is None and not asks)):
        merge = "mean_probabilities" if name == "classification" else None
        return {"format": 1, "decode": name, "merge": merge}
    asked = {
        key: Asks(
            default=each.default,
            help=each.help,
            low=each.low,
            high=each.high,
            choices=each.choices,
        )
        for key, each in asks.items()
    }
    return {"format": 2, "answers": name, "asks": {} if name else asked}


def largest_sample(dtype: str) -> int:
    """Bound the numbers in a sample's array: fewer for tokens, each of which is a vector.

    >>> largest_sample("int64"), largest_sample("float32")
    (131072, 67108864)
    """
    return MOST_TOKENS if dtype in ("int64", "int32") else MOST_NUMBERS
