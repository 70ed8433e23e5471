"""Default verbs: train and evaluate a run where no plugin answers."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from inspect import signature
from typing import Any

from safetensors.torch import save_model

from multigraft.contracts.objectives import settles
from multigraft.contracts.report import Baseline, Cost, Measure, Report
from multigraft.data.labelled_rows import labelled_rows
from multigraft.data.reporting import bad_row_notes, data_tables, leak_notes, odd_notes
from multigraft.data.row_lists import row_lists
from multigraft.evaluation.answer_scores import RowMetrics
from multigraft.evaluation.baselines import baseline_notes
from multigraft.evaluation.groups import told_by_group
from multigraft.evaluation.measure import measure_split
from multigraft.evaluation.report.confusion import confusion_of
from multigraft.evaluation.report.page import OTHER_DATA, PREFIX
from multigraft.evaluation.statistics import percentile
from multigraft.evaluation.unanswered import unanswered_notes
from multigraft.evaluation.worst_rows import worst_rows
from multigraft.models.adapters import merge_adapters
from multigraft.runs.answers_file import keeper_of, written_answers
from multigraft.runs.growing import bind
from multigraft.runs.metrics_log import read_curves, read_lines
from multigraft.runs.resampled import grouping_of, results_of
from multigraft.runs.run import HEAD, MODEL, Run
from multigraft.system.files import whole_folder
from multigraft.system.peak_memory import peak_memory_mb
from multigraft.training.checkpoint import Progress
from multigraft.training.forward import replayed_split
from multigraft.training.importance import weigh_rows
from multigraft.training.loop import Fit
from multigraft.training.probe import check_probe, pooled_features, probe

log = logging.getLogger("multigraft")


def train(run: Run) -> Report:
    """Fit the run, keep its best model, and report how the training went."""
    check_probe(run)
    weighing = weigh_rows(run)
    progress = Fit(run).fit()
    if run.world.leads:
        save_model_folder(run)
    run.world.wait()
    run.record(steps=progress.step, best=_best(run, progress))
    best = [entry["metrics"] for entry in progress.history if entry["step"] == progress.best_step]
    notes = [f"stopped early: {progress.stop}"] if progress.stop else []
    notes += weighing
    notes += [] if progress.step else ["training.epochs is 0: the weights are as they were"]
    notes += [f"plugin {name!r} raised {what} and was off" for name, what in _off(run).items()]
    scores = (best or [{}])[-1]
    baseline = _validation_baseline(run)
    notes += _no_better(run, baseline, scores, "validation")
    if progress.skipped:
        notes.append(
            f"{progress.skipped} steps were left out, their loss or gradient being no finite "
            f"number; training went back to a checkpoint {progress.rollbacks} times"
        )
    return Report(
        verb=run.resolved.task.stage,
        title=f"{run.resolved.task.name} with {run.recipe.backbone_name}",
        metrics={f"{PREFIX}{name}": Measure(value) for name, value in scores.items()},
        baseline=baseline and replace(baseline, metric=f"{PREFIX}{baseline.metric}"),
        curves=read_curves(run.metrics_file),
        cost=_cost(run, progress),
        facts=_facts(run),
        tables=data_tables(run.facts),
        notes=(*notes, *run.facts.get("notes", ()), *bad_row_notes(run.facts)),
        files={"model": str(run.folder / MODEL), **row_lists(run.folder)},
    )


def _best(run: Run, progress: Progress) -> dict[str, Any]:
    """The best validation, and what it is judged by."""
    return {
        "value": progress.best,
        "step": progress.best_step,
        "metric": run.objective.monitor,
        "greater": run.objective.greater_is_better,
    }


def _validation_baseline(run: Run) -> Baseline | None:
    """What an answer without a look would have scored; it is the same in every validation."""
    raw = run.facts.get("baseline")
    return None if raw is None else Baseline(**raw)


def _no_better(
    run: Run, baseline: Baseline | None, scores: Mapping[str, float], rows: str
) -> list[str]:
    """Said in the log too, where a run is no better than an answer without a look."""
    greater = run.objective.greater_is_better
    return _warned(baseline_notes(scores, baseline, rows=rows, greater=greater))


def _warned(notes: list[str]) -> list[str]:
    for note in notes:
        log.warning("%s", note)
    return notes


def _off(run: Run) -> Mapping[str, str]:
    """Observers that were switched off, with what they raised."""
    found: Mapping[str, str] = run.facts.get("observers_off", {})
    return found


def save_model_folder(run: Run) -> None:
    """Write ``model``: the backbone in the ecosystem's format, and the head beside it.

    Whoever finds it finds what its validation rows settle in the record.
    """
    run.graft.cpu().eval()
    merge_adapters(run.graft)
    settle(run)
    backbone: Any = run.graft.backbone
    linear = run.objective.linear_head(run.graft.head)
    tagger = run.objective.sequence_head(run.graft.head)
    labels = run.targets.get("labels", run.targets.get("names", ()))
    kind = {"problem_type": run.objective.problem_type}
    told = kind if kind.keys() <= signature(backbone.save).parameters.keys() else {}
    with whole_folder(run.folder / MODEL) as folder:
        if tagger is not None and hasattr(backbone, "save_sequence"):
            backbone.save_sequence(folder, head=tagger[0], labels=tagger[1])
        else:
            backbone.save(folder, head=linear, labels=labels, **told)
        run.objective.save(folder, run.graft.head)
        save_model(run.graft.head, str(folder / HEAD))


def settle(run: Run) -> None:
    """Let the objective fix what follows from the validation rows of the trained model."""
    if not settles(run.objective):
        return
    rows = run.rows.get("validation")
    kept: RowMetrics = {}
    if rows is not None:
        replayed = replayed_split(run, "validation")
        kept = measure_split(
            run.graft, run.metrics.by_loss, rows, replayed=replayed, **run.reading()
        )
    found = run.objective.settle(kept)
    run.record(settled=found)
    run.targets = {**run.targets, **found}
    run.objective = bind(run.resolved, run.graft.backbone, run.reader, run.targets)


def evaluate(run: Run) -> Report:
    """Measure the run on its held-out rows, with intervals."""
    started = time.perf_counter()
    split = run.held_out()
    rows, settings = run.rows[split], run.recipe.evaluation
    grouping = grouping_of(run, rows)
    replayed = replayed_split(run, split)
    measured_by = run.metrics
    keep = keeper_of(run)
    run.display.begin(f"evaluating on {run.other_data or split}", len(rows))
    row_metrics = measure_split(
        run.graft,
        measured_by,
        rows,
        replayed=replayed,
        keep=keep,
        asked=run.asked,
        display=run.display,
        **run.reading(),
    )
    run.display.begin("computing intervals")
    details = run.objective.details(row_metrics)
    right = measured_by.right(row_metrics, details)
    results = results_of(run, measured_by, split, row_metrics, right=right, grouping=grouping)
    metrics, tables = told_by_group(results.measures(settings.confidence), measured_by, grouping)
    notes = [] if split == settings.split else [f"no {settings.split} rows; measured on {split}"]
    notes += leak_notes(run.facts, split)
    other = run.other_data
    notes += bad_row_notes(run.facts, split) if other is None else run.facts["left_out"]
    notes += odd_notes(rows, split)
    scores = {name: measure.value for name, measure in metrics.items()}
    baseline = run.objective.baseline(row_metrics)
    notes += _no_better(run, baseline, scores, split)
    notes += unanswered_notes(details, rows=split)
    if run.resolved.task.stage == "pretrain":
        run.display.begin("probing features")
        probed, note = _probe(run, split)
        metrics, notes = {**metrics, **probed}, [*notes, *note]
    seconds = time.perf_counter() - started
    return Report(
        verb="evaluate",
        title=f"{run.resolved.task.name} with {run.recipe.backbone_name}"
        + ("" if other is None else f" on {other}"),
        metrics=metrics,
        baseline=baseline if baseline and baseline.metric in metrics else None,
        confusion=confusion_of(details["confusion"]) if "confusion" in details else None,
        worst=worst_rows(rows, row_metrics, details, settings.worst),
        tables={**details.get("tables", {}), **tables},
        cost=Cost(seconds, peak_memory_mb(), len(rows) / seconds),
        facts={
            **_facts(run),
            "split": split,
            "rows": str(len(rows)),
            "confidence": f"{settings.confidence:g}",
            **results.facts(),
            **({} if other is None else {OTHER_DATA: other}),
            **({"asked": json.dumps(dict(run.asked))} if run.asked else {}),
        },
        notes=tuple(notes),
        files=written_answers(run, rows, keep, row_metrics, details),
    )


def _probe(run: Run, split: str) -> tuple[dict[str, Measure], list[str]]:
    """k-NN and linear-probe accuracy of the pooled features, where rows of both splits have
    labels."""
    known, asked = (labelled_rows(run.rows[each]) for each in ("train", split))
    if known is None or asked is None:
        return {}, ["no column 'label', so the features were not probed"]
    settings = run.recipe.evaluation
    if len(set(known.labels)) < 2:
        return {}, ["all training rows have the same label, so the features were not probed"]
    features = [pooled_features(run, each.rows) for each in (known, asked)]
    right = probe(
        features[0], known.labels, features[1], asked.labels, neighbours=settings.neighbours
    )
    scores = {
        name: percentile(
            values, count=settings.bootstrap, confidence=settings.confidence, seed=run.recipe.seed
        )
        for name, values in right.scores.items()
    }
    label, count = Counter(asked.labels).most_common(1)[0]
    answer = f"always answering {label!r}, their most frequent label"
    baseline = Baseline("linear_probe_accuracy", count / len(asked.labels), answer)
    linear = {baseline.metric: scores[baseline.metric].value}
    return scores, _warned(baseline_notes(linear, baseline, rows=split, greater=True))


def _facts(run: Run) -> dict[str, str]:
    return {
        "run": str(run.folder),
        "task": run.resolved.task.name,
        "backbone": run.recipe.backbone_name,
        "weights": str(run.facts.get("weights", "")),
        "strategy": run.recipe.strategy_name,
        "train rows": str(len(run.rows["train"])),
        "seed": str(run.recipe.seed),
    }


def _cost(run: Run, progress: Progress) -> Cost:
    seconds = progress.seconds
    if seconds <= 0:
        return Cost(seconds, peak_memory_mb())
    shares = [line["padding"] for line in read_lines(run.metrics_file) if "padding" in line]
    return Cost(
        seconds,
        peak_memory_mb(),
        rows_per_second=progress.rows / seconds,
        waited=progress.waited / seconds,
        saving=progress.saving / (seconds + progress.saving),
        padding=shares[-1] if shares else None,
    )
