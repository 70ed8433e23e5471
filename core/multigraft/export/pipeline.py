"""Export pipeline: fp32 first, then each precision that the gate lets pass."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from multigraft.contracts.padding import Fills, crop, fill_of
from multigraft.contracts.readers import collate, save_spec
from multigraft.contracts.report import Report
from multigraft.contracts.types import Arrays
from multigraft.data.sources.source_table import said_of_source
from multigraft.evaluation.generation.ports import ports_of
from multigraft.export.acceptance import latency
from multigraft.export.card import model_card
from multigraft.export.context import FP32, INT8, ExportContext
from multigraft.export.generation.decoder_graph import sample_of
from multigraft.export.graph.fp32 import make_fp32
from multigraft.export.graph.sharing import SHARED, share_weights, shares
from multigraft.export.graph.storage import delete
from multigraft.export.precision.build import Precisions, fastest, judge, time_all
from multigraft.export.sample_rows import middling
from multigraft.export.summary import summary
from multigraft.models.modes import evaluating
from multigraft.runs.provenance import owner_of
from multigraft.runs.run import Run
from multigraft.runtime.answers import make_answers, name_of
from multigraft.runtime.bundle import Bundle, Generation, Owner, Port, seal
from multigraft.runtime.manifest import (
    COLUMNS,
    READING,
    TASK_OPTIONS,
    BundleBranch,
    largest_sample,
    said_of,
)
from multigraft.runtime.manifest_writing import FORMAT, NEWEST
from multigraft.runtime.web.site import write_site
from multigraft.system.files import whole_folder

LIBRARIES = ("torch", "onnx", "onnxruntime", "numpy")
FACTS = ("stage", "weights", "seed", "plugins", "data", "steps", "best", "parent")
"""What of a run's facts goes into the bundle."""


def export_bundle(run: Run) -> Report:
    """Write ``run.folder/bundle``, and ``web`` where it is asked for, replacing older ones whole.

    A page's packages come from the cache: a run may be a stranger's, and its recipe fetches
    nothing. Raises ExportError; BundleError or MissingDependency where the bundle is written and
    the page cannot be.
    """
    started = time.perf_counter()
    target = run.folder / "bundle"
    with whole_folder(target) as folder, evaluating(run.graft):
        context = ExportContext(run, folder, run.held_out_split)
        run.display.begin(f"making {FP32}")
        served, parity = make_fp32(context)
        timed, torch_times = time_all(context, judge(context, parity), served)
        kept, notes = _keep(context, timed)
        bundle = _seal(context, _share(context, kept), tuple(notes))
    seconds = time.perf_counter() - started
    report = summary(
        bundle, target, split=context.split, torch_milliseconds=torch_times, seconds=seconds
    )
    if not run.recipe.export.web:
        return report
    site = write_site(target, run.folder / "web", fetch=False, catalog=run.catalog)
    return replace(report, files={**report.files, "web": str(site)})


def _keep(context: ExportContext, precisions: Precisions) -> tuple[Precisions, list[str]]:
    """Delete the graphs that are not to be shipped, and say which and why."""
    notes = [
        f"{name} was refused: {entry.reason}"
        for name, entry in precisions.items()
        if not entry.accepted
    ]
    kept = dict(precisions)
    if not context.asked(FP32):
        if any(entry.accepted for name, entry in kept.items() if name != FP32):
            update = {
                "accepted": False,
                "reason": "was made to measure the others by, and not asked for",
            }
            kept[FP32] = kept[FP32].model_copy(update=update)
        else:
            notes.append("fp32 was not asked for, and is kept as the next safer precision")
    held = {name: context.paths(name) for name, entry in kept.items() if entry.accepted}
    used = {path for paths in held.values() for path in paths.values()}
    for name, entry in kept.items():
        if not entry.accepted:
            for path in set(context.targets(name).values()) - used:
                delete(path)
            kept[name] = entry.model_copy(update={"file": None, "graphs": {}})
    return kept, [*notes, *_slower(kept)]


def _share(context: ExportContext, precisions: Precisions) -> Precisions:
    """Keep once what an encoder and its decoder hold alike; the precisions with their sizes."""
    held = {name: context.paths(name) for name, each in precisions.items() if each.accepted}
    graphs = [path for paths in held.values() for path in paths.values()]
    if context.generating is None or not share_weights(graphs):
        return precisions
    beside = (context.folder / SHARED).stat().st_size
    found = dict(precisions)
    for name, paths in held.items():
        own = sum(path.stat().st_size for path in context.files(name))
        size = own + (beside if any(shares(path) for path in paths.values()) else 0)
        found[name] = precisions[name].model_copy(update={"size": size})
    return found


def _slower(precisions: Precisions) -> list[str]:
    """A line where int8 is in the bundle and fp32 is preferred."""
    held = {name: entry for name, entry in precisions.items() if entry.accepted}
    if not {FP32, INT8} <= held.keys() or fastest(held) == INT8:
        return []
    times = {name: latency.a_row(held[name].latency) for name in (FP32, INT8)}
    return [
        f"int8 took {times[INT8]:.3g} ms a row on this machine, fp32 {times[FP32]:.3g} ms: "
        'fp32 is the default, load(folder, precision="int8") takes the smaller file'
    ]


def _seal(context: ExportContext, precisions: Precisions, notes: tuple[str, ...]) -> Bundle:
    """Write the reader's files, the card and the manifest."""
    run, generating = context.run, context.generating
    default = fastest(precisions)
    sample = _sample(context)
    inputs, outputs = context.session(default).ports()
    generation = ports_of(generating, [name for name, *_ in inputs]) if generating else None
    served = [name for name, *_ in outputs]
    answers = make_answers(run.resolved.task, run.targets, served)
    bundle = Bundle(
        task=run.resolved.task.name,
        modality=run.resolved.modality.name,
        backbone=run.recipe.backbone_name,
        owners={
            **run.facts.get("owners", {}),
            "task": owner_of(run.catalog, "tasks", run.resolved.task.name),
            **_modality_owners(run),
        },
        **said_of(
            name_of(run.resolved.task, served),
            answers.asks,
            least=_format(context, generation),
        ),
        branches={
            name: BundleBranch(modality=each.modality.name, backbone=run.recipe.branches[name].name)
            for name, each in run.resolved.branches.items()
            if name
        },
        reader=save_spec(run.reader.spec(), context.folder),
        targets=run.targets,
        inputs=tuple(Port(name=name, dtype=dtype, shape=shape) for name, dtype, shape in inputs),
        outputs=tuple(Port(name=name, dtype=dtype, shape=shape) for name, dtype, shape in outputs),
        columns=_columns(run),
        sample={name: array.shape for name, array in sample.items()},
        precisions=precisions,
        default=default,
        generation=generation,
        opset=run.recipe.export.opset,
        versions={name: version(name) for name in LIBRARIES},
        facts={**_facts(run.facts), **_row_facts(run)},
        notes=notes,
    )
    card = model_card(bundle, run.resolved.modality, sample=sample)
    (context.folder / "README.md").write_text(card, encoding="utf-8")
    return seal(bundle, context.folder)


def _format(context: ExportContext, generation: Generation | None) -> int:
    """The first format that can say what the graphs are."""
    if context.run.resolved.several:
        return NEWEST
    return FORMAT if generation is None else generation.format


def _modality_owners(run: Run) -> dict[str, Owner]:
    """Who registered the modality of each branch, or the one that there is."""
    return {
        f"modality.{name}" if name else "modality": owner_of(
            run.catalog, "modalities", branch.modality.name
        )
        for name, branch in run.resolved.branches.items()
    }


def _sample(context: ExportContext) -> Arrays:
    """One row of middling length, as a batch."""
    if context.generating is not None:
        return sample_of(context.generating)
    fills = context.run.reader.fills
    return collate([_shortened(middling(context.rows), fills)], fills)


def _shortened(row: Arrays, fills: Fills) -> Arrays:
    """The row as long as a manifest may claim that a sample is, cut along first varying axes."""
    longest: dict[str, int] = {}
    for name in fills.keys() & row.keys():
        axis, called = next(iter(fill_of(fills[name]).axes.items()))
        each = row[name].size // max(1, row[name].shape[axis])
        most = largest_sample(row[name].dtype.name) // max(1, each)
        longest[called] = min(most, longest.get(called, most))
    return crop(row, fills, lambda called, size: min(size, longest.get(called, size)))


def _columns(run: Run) -> tuple[str, ...]:
    """The columns of a raw value that rows held: of two that a modality may read, perhaps one."""
    held = next(iter(run.rows.values())).columns
    return tuple(name for name in run.resolved.modality.columns if name in held)


def _row_facts(run: Run) -> dict[str, Any]:
    """How rows are read, for who asks or measures a bundle by rows of a table."""
    columns = {**run.recipe.data.columns, **run.facts.get("gathered", {})}
    named = {ours: theirs for ours, theirs in columns.items() if theirs}
    found: dict[str, Any] = {COLUMNS: named} if named else {}
    found |= {READING: read} if (read := said_of_source(run.recipe.data)) else {}
    options = run.resolved.task_options
    return {**found, TASK_OPTIONS: {name: _portable(value) for name, value in options.items()}}


def _facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The run's facts for people, without the paths of the machine that trained it."""
    kept = {name: facts[name] for name in FACTS if name in facts}
    if "weights" in kept:
        kept["weights"] = _portable(kept["weights"])
    return kept


def _portable(value: Any) -> Any:
    """A value, of a path of this machine its last part."""
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
