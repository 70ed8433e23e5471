"""Built-in plugin: strategies, tasks of several modalities, formats, filters, explainers, and the
verbs' defaults.

It enters by the same door as a stranger's, only first, and its verbs answer last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from multigraft.contracts.explaining import Explainer
from multigraft.contracts.filters import Filter
from multigraft.contracts.formats import Format
from multigraft.contracts.lazy import Lazy
from multigraft.contracts.records import Option, Strategy, Task
from multigraft.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from multigraft.contracts.report import Report
    from multigraft.contracts.run_view import RunView


@hookimpl
def register_strategies() -> Sequence[Strategy]:
    """The strategies of the field, each one function of `multigraft.models.strategies`."""
    return (
        Strategy(name="full", plan=Lazy("multigraft.models.strategies:full")),
        Strategy(name="linear-probe", plan=Lazy("multigraft.models.strategies:linear_probe")),
        Strategy(
            name="partial",
            plan=Lazy("multigraft.models.strategies:partial"),
            options={"blocks": Option(default=2, low=0, help="how many of the last blocks learn")},
        ),
        Strategy(
            name="gradual-unfreezing",
            plan=Lazy("multigraft.models.strategies:gradual_unfreezing"),
            options={
                "until": Option(
                    default=0.5,
                    low=0,
                    high=1,
                    help="the share of training by which every block learns",
                )
            },
        ),
        Strategy(
            name="layer-wise-decay",
            plan=Lazy("multigraft.models.strategies:layer_wise_decay"),
            options={
                "decay": Option(
                    default=0.8, low=0, high=1, help="a block's rate over that of the next one"
                )
            },
        ),
        Strategy(
            name="lora",
            plan=Lazy("multigraft.models.adapters:lora"),
            options={
                "rank": Option(default=8, low=1, high=4096, help="rank of each update"),
                "alpha": Option(default=16.0, low=0, help="the update is scaled by alpha / rank"),
                "dropout": Option(default=0.0, low=0, high=0.9, help="in front of each update"),
            },
        ),
        Strategy(name="bitfit", plan=Lazy("multigraft.models.strategies:bitfit")),
    )


@hookimpl
def register_tasks() -> Sequence[Task]:
    """The tasks of any modality, and of several at once."""
    return Lazy("multigraft.models.tasks:shared_tasks").resolve()()


@hookimpl
def register_formats() -> Sequence[Format]:
    """What tables and texts are mostly kept in; `data.sources` reads them."""
    return (
        Format(
            name="csv",
            endings=(".csv", ".tsv"),
            read=_reader("formats:read_csv"),
            chunks=_reader("formats:csv_chunks"),
        ),
        Format(
            name="json",
            endings=(".json", ".jsonl", ".ndjson"),
            read=_reader("formats:read_json"),
            chunks=_reader("formats:json_chunks"),
        ),
        Format(
            name="parquet",
            endings=(".parquet",),
            read=_reader("formats:read_parquet"),
            text=False,
            chunks=_reader("formats:parquet_chunks"),
        ),
        Format(
            name="arrow",
            endings=(".arrow", ".feather"),
            read=_reader("arrow_files:read_arrow"),
            folders=True,
            text=False,
            chunks=_reader("arrow_files:arrow_chunks"),
        ),
        Format(
            name="xlsx",
            endings=(".xlsx", ".xlsm"),
            read=_reader("sheets:read_workbook"),
            text=False,
        ),
        Format(
            name="lines",
            endings=(".txt",),
            read=_reader("text_lines:read_lines"),
            chunks=_reader("text_lines:line_chunks"),
        ),
        Format(
            name="paragraphs",
            endings=(),
            read=_reader("text_lines:read_paragraphs"),
            chunks=_reader("text_lines:paragraph_chunks"),
        ),
    )


@hookimpl
def register_filters() -> Sequence[Filter]:
    """What finds duplicates among values of any modality; the other filters come with theirs."""
    return (
        Filter(
            name="exact-duplicates",
            help="Drop a row whose value stood in an earlier one; files count by their bytes.",
            source="own; SHA-256 cut to 128 bits",
            likeness=Lazy("multigraft.data.prepare.equality:exact"),
            options={
                "fold": Option(
                    default=False,
                    help="texts that differ in case, spaces, digits, punctuation and accents of "
                    "Latin, Greek and Cyrillic letters alone count as equal (as in CCNet, Wenzek "
                    "et al. 2020)",
                )
            },
        ),
        Filter(
            name="near-duplicates",
            help="Drop a row that is nearly the same as an earlier one, directly or through "
            "others, by the modality's sketches: MinHash of texts, hashes of pictures and sounds.",
            source="Broder 1997 (MinHash), Indyk and Motwani 1998 (LSH)",
            likeness=Lazy("multigraft.data.prepare.equality:near"),
            options={
                "near": Option(
                    default=None,
                    types=(int, float),
                    low=0.3,
                    high=1,
                    help="the share of equal sketch values from which rows are near; unset: the "
                    "modality's, 0.8 of texts",
                )
            },
        ),
    )


@hookimpl
def register_explainers() -> Sequence[Explainer]:
    """Two that ask for answers alone, and four that ask for gradients."""
    return (
        Explainer(
            name="occlusion",
            explain=Lazy("multigraft.runtime.explain.occlusion:occlusion"),
            help="what the answer loses where one unit alone is hidden",
        ),
        Explainer(
            name="lime",
            explain=Lazy("multigraft.runtime.explain.surrogate:lime"),
            help="a linear model of the answers where some units are hidden at random",
            options={
                "samples": Option(
                    default=256, low=16, high=10_000, help="rows with units hidden at random"
                ),
                "width": Option(
                    default=0.25, low=0.01, high=10, help="of the kernel that weighs near rows more"
                ),
                "ridge": Option(default=1.0, low=0, high=1e6, help="the L2 penalty"),
            },
        ),
        Explainer(
            name="integrated-gradients",
            explain=Lazy("multigraft.evaluation.explain.gradients:integrated_gradients"),
            help="gradients along the way from the row with all hidden to the row itself",
            gradients=True,
            options={
                "steps": Option(
                    default=8, low=2, high=4096, help="points on the way at first, an even number"
                ),
                "most_steps": Option(
                    default=512,
                    low=2,
                    high=65_536,
                    help="they are doubled up to here while the weights move or do not add up",
                ),
                "tolerance": Option(
                    default=0.01,
                    low=0,
                    high=1,
                    help="the share of the change that they explain by which their sum may be off",
                ),
                "settled": Option(
                    default=0.05,
                    low=0,
                    high=1,
                    help="the share of the weights' sizes by which doubling may move them",
                ),
            },
        ),
        Explainer(
            name="gradient-x-input",
            explain=Lazy("multigraft.evaluation.explain.gradients:gradient_x_input"),
            help="the gradient at the row times what each unit adds to what is hidden",
            gradients=True,
        ),
        Explainer(
            name="grad-cam",
            explain=Lazy("multigraft.evaluation.explain.grad_cam:grad_cam"),
            help="where the last map that the gradient favours is large",
            gradients=True,
            kinds=("patches",),
        ),
        Explainer(
            name="attention-rollout",
            explain=Lazy("multigraft.evaluation.explain.rollout:attention_rollout"),
            help="what positions take of each other where the gradient favours it, layer by layer",
            gradients=True,
        ),
    )


def _reader(name: str) -> Lazy:
    return Lazy(f"multigraft.data.sources.{name}")


@hookimpl(trylast=True)
def pretrain(run: RunView) -> Report:
    """Train with the engine's loop."""
    return Lazy("multigraft.verbs:train").resolve()(run)


@hookimpl(trylast=True)
def finetune(run: RunView) -> Report:
    """Train with the engine's loop."""
    return Lazy("multigraft.verbs:train").resolve()(run)


@hookimpl(trylast=True)
def evaluate(run: RunView) -> Report:
    """Measure on held-out rows with the engine's own evaluation."""
    return Lazy("multigraft.verbs:evaluate").resolve()(run)


@hookimpl(trylast=True)
def export(run: RunView) -> Report:
    """Write the bundle with the engine's own exporter."""
    return Lazy("multigraft.export:export_bundle").resolve()(run)
