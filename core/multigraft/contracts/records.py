"""The nouns: what a plugin registers once, as frozen records that import nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from multigraft.contracts.explaining import Explainer
from multigraft.contracts.filters import Filter
from multigraft.contracts.formats import Format
from multigraft.contracts.previews import Preview
from multigraft.contracts.samples import Samples, Trial
from multigraft.contracts.web import WebReader

if TYPE_CHECKING:
    from torch import nn

    from multigraft.contracts.answers import Answers
    from multigraft.contracts.objectives import Brief, Objective
    from multigraft.contracts.plan import Plan
    from multigraft.contracts.row_objectives import RowBrief, RowObjective
from multigraft.contracts.reader import Augment, Reader
from multigraft.contracts.types import Quantization, Spec, Stage, Strength


@dataclass(frozen=True, kw_only=True)
class Option:
    """One setting of a modality, backbone, task or strategy that a recipe may change.

    The type of ``default`` is the type a value must have; ``None`` as default allows any of
    ``types``.
    """

    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    types: tuple[type, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How rows are found that are nearly the same, though their raw values are not equal."""

    sketch: Callable[[Sequence[Any]], tuple[np.ndarray, np.ndarray]]
    """Raw values -> sketches [rows, values] and flaws [rows], both of unsigned integers.

    Two rows are as alike as the share of their sketches' values that are equal. A sketch of zeros
    is like no other: what the reader would refuse, or a value that says nothing. A flaw is 0, or
    the number, from 1, of what is wrong in `flaws`. Equal values must give equal sketches, in every
    process.
    """
    near: float
    """From which likeness two rows count as nearly the same, as 0.9."""
    flaws: tuple[str, ...] = ()
    """What makes a row that can be read look wrong, as ``("silent",)``."""

    def __post_init__(self) -> None:
        if not callable(self.sketch) or not 0 < self.near <= 1:
            raise ValueError(
                f"a likeness has a function and a share up to 1, not {self.sketch!r}, {self.near!r}"
            )


@dataclass(frozen=True, kw_only=True)
class Modality:
    """A kind of raw value: how it is read, and what a person types or drops to give one."""

    name: str
    reader: Callable[[Spec], Reader]
    """Build a reader from its spec."""
    columns: tuple[str, ...]
    """The columns that hold the raw value; a row with several gives a tuple. The first is
    required."""
    fit: Callable[[Iterable[Any], Spec], Spec] | None = None
    """Complete a spec from raw training values (a tokenizer, say); gives a complete spec back
    unchanged."""
    options: Mapping[str, Option] = field(default_factory=dict)
    """What the recipe's ``reader:`` may set."""
    augment: Callable[[Strength, Reader, Mapping[str, Any]], Augment] | None = None
    """(strength, reader, options) -> the augmentation; None: this modality has none."""
    augment_options: Mapping[str, Option] = field(default_factory=dict)
    """What the recipe's ``training.augment`` may set besides the strength."""
    unit: Callable[[Spec], tuple[str, float]] | None = None
    """(reader spec) -> the unit in which a person counts lengths, and how many of `Reader.length`
    make one.

    As ``("seconds", 16000.0)``. None: in `Reader.length` as it is.
    """
    suffixes: tuple[str, ...] = ()
    """The files a person may drop, as ``(".png", ".jpg")``; empty where the value is typed."""
    likeness: Likeness | None = None
    """How nearly equal rows in two parts are found; None: only equal ones are."""
    samples: Samples | None = None
    """Values to try readers, backbones and tasks with; None: `multigraft.testing` cannot try
    them."""
    gathers: bool = False
    """Whether its raw value is a mapping of cells by their columns' names: of those of the table
    that ``data.columns`` lists, or of all that nothing else reads."""
    repeats: bool = False
    """Whether different rows may well hold equal values, as those of a table of few categories:
    equal rows in two splits are told, and stop no run unless ``data.leakage.allowed`` is set."""
    least_steps: int = 0
    """The optimizer steps that a recipe without epochs and steps makes up for with further passes
    over few rows, 200 at the most; for values of which a backbone learns little a step."""
    web: WebReader | None = None
    """How a page reads a value without a server; None: only Python does."""
    writes: bool = False
    """Whether its readers are `WritingReader`s, so that of several branches one of this modality
    may be the one that writes (see `Task.describes`)."""
    preview: Callable[[Any], Preview] | None = None
    """(raw value) -> what a page shows of it, at most `multigraft.contracts.previews.LARGEST`
    bytes; None: its name. Raises RowError for what the reader would refuse."""
    branches: Mapping[str, Modality] = field(default_factory=dict)
    """The modalities that are read side by side, by branch: core composes such a one of those that
    plugins register (see `multigraft.contracts.branches`)."""

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that a table must have: the first, or each branch's first."""
        return tuple(self.branches) or self.columns[:1]

    def columns_as(self, branch: str) -> tuple[str, ...]:
        """The columns of its raw value where it is a branch of that name, the first required: all
        of its own, or where the branch is not called as the first of them, the branch's alone."""
        return self.columns if branch == self.columns[0] else (branch,)


@dataclass(frozen=True, kw_only=True)
class Size:
    """One size of a backbone family: its configuration, and where its published weights are."""

    config: Mapping[str, Any] = field(default_factory=dict)
    hub: str | None = None
    """The default weights; None: this size is made from scratch."""
    path: Path | None = None
    """The folder of the default weights, where `Backbone.find` was asked for a folder."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a backbone is to be built from: a size, and weights from a path, from the hub, or
    none."""

    backbone: str
    """The whole name, as ``bert-tiny``."""
    size: str
    config: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None
    """A local folder or file of weights (a run of ours arrives here as its ``model`` folder)."""
    hub: str | None = None
    own: bool = False
    """Whether ``path`` is what this very run saved, by the same ``config``: what is refused for
    weights that a user names was settled when the run began."""

    @property
    def scratch(self) -> bool:
        """Whether no weights are asked for."""
        return self.path is None and self.hub is None


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A family of pretrained networks. ``bert`` with the size ``tiny`` is asked for as
    ``bert-tiny``."""

    name: str
    modality: str
    sizes: Mapping[str, Size]
    build: Callable[[Origin, Spec], nn.Module]
    """(origin, reader spec) -> a module as `multigraft.contracts.features.BackboneModule`
    describes."""
    reader: Callable[[Origin, Mapping[str, Any]], Spec]
    """(origin, reader options) -> the spec of the reader these weights expect."""
    find: Callable[[str], Size | None] | None = None
    """Resolve a size that is not listed, asked for as ``name/size`` (``timm/resnet50``)."""
    options: Mapping[str, Option] = field(default_factory=dict)
    """What the recipe's ``backbone:`` may set besides name and weights; merged into
    ``Origin.config``."""
    quantization: Quantization = "dynamic"
    """How its graph becomes int8: dynamic (transformers), static (convolutions), or not at all."""
    trial: Trial | None = None
    """The size that tests try; None: ``tiny``, or the first one."""
    hub: bool | None = None
    """Whether ``build`` opens weights by a name on the hub, as ``owner/name``; None: where a size
    is published there, or there is a ``find``. Where it does not, a recipe that asks for such is
    refused."""

    @property
    def opens_hub(self) -> bool:
        """Whether its weights may be a name on the hub."""
        published = self.find is not None or any(size.hub for size in self.sizes.values())
        return published if self.hub is None else self.hub


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a model learns. A pretraining objective is a task of the stage ``pretrain``."""

    name: str
    stage: Stage
    modalities: tuple[str, ...]
    """Those of its rows; empty: any."""
    objective: Callable[[Brief], Objective]
    """Bind the task to one run: its head, loss and metrics."""
    row_objective: Callable[[RowBrief], RowObjective] | None = None
    """Bind its torch-free half, which measures a bundle; None: its answers' scores do, alone."""
    columns: tuple[str, ...] = ()
    """Columns that a row needs besides its raw value, as ``("label",)``."""
    stratify: str | None = None
    """The one of ``columns`` whose values have the same shares in every part of a split (stratified
    sampling)."""
    labels_in: Callable[[Any, Mapping[str, Any]], Sequence[str]] | None = None
    """(cell of `stratify`, options) -> the labels in it, where a cell may hold several; raises
    RowError. Splits and `targets` then see those, a list in each cell."""
    several: bool = False
    """Whether it learns from several branches too: its head reads `Features.pooled`, which is then
    all of them joined, or `Features.branches`."""
    dual: bool = False
    """Whether it learns from exactly two branches that meet in the loss alone (a dual encoder):
    every row needs both, and its bundle answers for either alone."""
    writes: str | None = None
    """The one of ``columns`` that holds texts which the model writes by its reader's tokenizer:
    where that is learned, it is learned from them too."""
    reader: Mapping[str, Any] = field(default_factory=dict)
    """Options of the modality's reader that the task cannot do without, as ``{"places": True}``."""
    describes: bool = False
    """Whether it writes a text about what it reads with one of several branches, the one whose
    modality `writes`: that branch reads nothing, and its tokenizer is learned from `writes`."""
    levels: bool = False
    """Whether its head reads `Features.maps` at the strides of the backbone's ``levels``; one that
    has none is refused."""
    files: tuple[str, ...] = ()
    """Those of ``columns`` that name files: `Objective.encode` gets whole paths, and the data's
    fingerprint counts what is in them."""
    rows: Callable[..., Mapping[str, Any]] | None = None
    """(row) -> row: rewrite a raw row when its table is loaded, before ``columns`` and the raw
    value are looked for; raises RowError. It may add columns and drop some. Where it has a
    parameter ``options``, it is given the task's options by that name.

    A row that is only to be answered has None in each of ``columns``: the raw value must not need
    them."""
    targets: Callable[..., Spec] | None = None
    """(columns) -> spec: learn the targets' description (the labels, say) from the rows'
    ``columns``, a sequence of cells each; a cell may be None. Where it has a parameter ``options``,
    it is given the task's options by that name; ``reader`` and ``raws``, the reader and the raw
    values of the training rows, where targets are made of what is read."""
    answers: str | Callable[[Spec], Answers] | None = None
    """What makes answers of graph outputs, torch-free, as a bundle uses it: core's by their name
    (see `multigraft.contracts.answers.NAMES`), or (targets) -> the task's own `Answers`.

    None: the answer is the ``embedding`` that is served, or where there is none every output as it
    is.
    """
    samples: Callable[[np.random.Generator, Sequence[Any]], Mapping[str, Sequence[Any]]] | None = (
        None
    )
    """(rng, raw values) -> a cell of each of ``columns`` for each; None: a column ``label`` gets
    two labels.

    With them `multigraft.testing` tries the task.
    """
    options: Mapping[str, Option] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    """Settings of a recipe that say nothing to this task, and why, as ``{"backbone.pooling":
    "nothing is pooled"}``: an option of the backbone, or of one value (``backbone.pooling=own``),
    and options that the task had before (``task.scale``)."""
    learning_rate: float | None = None
    """AdamW's peak rate where a recipe gives none, of a head that has much to learn; None: by what
    of the backbone learns, and its width."""
    epochs: float | None = None
    """The passes over the training rows where a recipe gives none; None: 3, or 10 of a linear layer
    alone."""
    batch_size: int | None = None
    """Rows in a batch where a recipe gives none; None: 32."""

    def __post_init__(self) -> None:
        known = {*self.columns, None}
        if self.labels_in is not None and self.stratify is None:
            raise ValueError(f"task {self.name!r}: labels_in reads the column that stratify names")
        if self.dual and not self.several:
            raise ValueError(f"task {self.name!r}: dual is for tasks of several branches")
        if self.describes and not (self.several and self.writes):
            raise ValueError(
                f"task {self.name!r}: describes is for tasks of several branches that name the "
                "column that is written (several, writes)"
            )
        if self.levels and self.several:
            raise ValueError(f"task {self.name!r}: levels are those of one branch, not of several")
        named = (self.stratify, self.writes, *self.files)
        if strange := [name for name in named if name not in known]:
            raise ValueError(
                f"task {self.name!r}: stratify, writes and files name columns of the task "
                f"({', '.join(self.columns)}), not {strange[0]!r}"
            )


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """Which parameters learn, at which rate, from when. Strategies are applied one after
    another."""

    name: str
    plan: Callable[[Plan, Mapping[str, Any]], Plan]
    """(plan so far, options) -> plan."""
    options: Mapping[str, Option] = field(default_factory=dict)


Record = Modality | Backbone | Task | Strategy | Format | Filter | Explainer
