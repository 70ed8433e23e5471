"""Tables: numbers, categories and dates of a row, read by an FT-Transformer or an MLP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from multigraft import Backbone, Lazy, Modality, Option, Samples, Size, Task, hookimpl
from multigraft.models.tasks import classification_task, multilabel_task, regression_task

TABLE = Modality(
    name="table",
    reader=Lazy("multigraft_table.reader:table_reader"),
    columns=("table",),
    fit=Lazy("multigraft_table.specs:fit"),
    gathers=True,
    repeats=True,
    least_steps=2000,
    samples=Samples(
        good=Lazy("multigraft_table.samples:good"), bad=Lazy("multigraft_table.samples:bad")
    ),
    options={
        "types": Option(
            default=None,
            types=(dict,),
            help="a column's type where another is meant than is guessed, as {zip: category}: "
            "number, category, date or ignore",
        ),
        "numbers": Option(
            default="quantile",
            choices=("quantile", "standard"),
            help="how numbers and days are scaled: by normal scores of the training rows' "
            "quantiles, or to mean 0 and deviation 1",
        ),
        "least_rows": Option(
            default=2,
            low=1,
            help="a category of fewer training rows is read as one that was never seen is",
        ),
        "most_categories": Option(
            default=10_000, low=1, high=2**20, help="categories of a column, the most frequent"
        ),
    },
)

RATE = 3e-4
"""Within what both papers search; at the rate that widths like these have elsewhere (1e-3) a few
hundred rows are soon known by heart."""
DROPOUT = Option(default=0.1, low=0.0, high=0.9, help="inside each layer")

FT_TRANSFORMER = Backbone(
    name="ft-transformer",
    modality="table",
    sizes={
        "tiny": Size(config={"width": 32, "depth": 2, "heads": 4}),
        "small": Size(config={"width": 64, "depth": 2, "heads": 8}),
        "base": Size(config={"width": 192, "depth": 3, "heads": 8}),
    },
    build=Lazy("multigraft_table.ft_transformer:build"),
    reader=Lazy("multigraft_table.specs:table_spec"),
    options={
        "dropout": DROPOUT,
        "attention_dropout": Option(
            default=0.2, low=0.0, high=0.9, help="of the attention between columns"
        ),
    },
    quantization="dynamic",
)

MLP_PLR = Backbone(
    name="mlp-plr",
    modality="table",
    sizes={
        "tiny": Size(config={"width": 32, "depth": 2, "embedding": 8, "frequencies": 8}),
        "small": Size(config={"width": 128, "depth": 2, "embedding": 16, "frequencies": 32}),
        "base": Size(config={"width": 256, "depth": 3, "embedding": 24, "frequencies": 48}),
    },
    build=Lazy("multigraft_table.mlp_plr:build"),
    reader=Lazy("multigraft_table.specs:table_spec"),
    options={
        "dropout": DROPOUT,
        "sigma": Option(
            default=0.1,
            low=0.001,
            high=100,
            help="deviation of the first frequencies of numbers: larger ones tell nearer numbers "
            "apart",
        ),
    },
    quantization="dynamic",
)


@hookimpl
def register_modalities() -> Sequence[Modality]:
    """Rows of a table."""
    return [TABLE]


@hookimpl
def register_backbones() -> Sequence[Backbone]:
    """A transformer and a perceptron over columns, both from scratch."""
    return [FT_TRANSFORMER, MLP_PLR]


@hookimpl
def register_tasks() -> Sequence[Task]:
    """Labels and numbers of a row."""
    made = [
        classification_task("table-classification", "table"),
        multilabel_task("table-multilabel", "table"),
        regression_task("table-regression", "table"),
    ]
    return [replace(task, learning_rate=RATE) for task in made]
