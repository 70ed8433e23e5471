"""Building a run: from a resolved recipe to rows, model and plan."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model

from multigraft.contracts.branches import join_branches
from multigraft.contracts.frames import POINTS, check_moves
from multigraft.contracts.objectives import Objective
from multigraft.contracts.reader import Augment, JoiningAugment, MixingAugment, Reader
from multigraft.contracts.readers import load_spec, save_spec
from multigraft.contracts.report import Report
from multigraft.contracts.types import Spec
from multigraft.data import (
    QUARANTINE,
    Rows,
    Splits,
    Table,
    label_lists,
    labels_in,
    load_splits,
    quarantine,
    release,
    rewrite_of,
    with_known,
)
from multigraft.data.row_lists import write_leaks, write_left_out
from multigraft.errors import DataError, RecipeError, RunError, WeightsError, refused_as
from multigraft.plugins.catalog import Catalog
from multigraft.recipe import Recipe
from multigraft.recipe.resolved import ResolvedRecipe
from multigraft.runs.first_record import data_facts, run_facts
from multigraft.runs.growing import grow, inherit_head, plan_of, with_weights_of
from multigraft.runs.learned_values import LearnedValues
from multigraft.runs.run import HEAD, MODEL, Run
from multigraft.system.compute.processes import ALONE, World
from multigraft.system.files import check_tree
from multigraft.system.resume_command import resume_command

log = logging.getLogger("multigraft")


@dataclass(frozen=True)
class Saved:
    """What an earlier process learned from the data, so that it is not learned anew."""

    reader: Spec
    targets: Spec


def assemble(
    resolved: ResolvedRecipe,
    catalog: Catalog,
    folder: Path,
    *,
    dispatch: Callable[[str, Run], Report],
    saved: Saved | None = None,
    trained: bool = False,
    held_out: bool = True,
    world: World = ALONE,
) -> Run:
    """Build a complete run in ``folder``. ``trained`` takes the weights from its ``model`` folder;
    without ``held_out`` the rows of validation and test are cut off, but not read."""
    recipe = resolved.recipe
    splits = _splits(resolved, catalog, settled=saved is not None or not held_out)
    if not held_out:
        splits = splits.train_alone()
    if trained:
        resolved = with_weights_of(resolved, folder / MODEL)
    learned = saved or _learn(resolved, splits.train)
    with _outside(resolved, folder if saved else None):
        reader = resolved.modality.reader(learned.reader)
        torch.manual_seed(recipe.seed)
        inherited = False
        objective, graft = grow(resolved, reader, learned.reader, learned.targets)
        if trained:
            load_model(graft.head, str(folder / MODEL / HEAD), strict=True)
            graft.eval()
        else:
            inherited = inherit_head(graft, resolved, learned.targets)
    augment = _augment(resolved, reader, objective)
    written = folder if world.leads and not trained else None
    rows = _rows(splits, reader, objective, recipe, written)
    if written is not None:
        if saved is None:  # one that goes on compares no splits again
            write_leaks(written, splits.leaks)
        write_left_out(written, {split: each.problems for split, each in rows.items()})
    return Run(
        folder=folder,
        recipe=recipe,
        resolved=resolved,
        catalog=catalog,
        reader=reader,
        targets=learned.targets,
        objective=objective,
        graft=graft,
        plan=plan_of(graft, resolved),
        rows=rows,
        augment=augment,
        facts={
            **run_facts(resolved, catalog, world),
            **data_facts(splits, rows, resolved, learned.targets),
            "head_inherited": inherited,
        },
        dispatch=dispatch,
        world=world,
    )


def saved_facts(learned: Reader, targets: Spec, folder: Path) -> dict[str, Any]:
    """The facts from which `read_saved` restores what was learned; large ones become files."""
    return {"reader": save_spec(learned.spec(), folder), "targets": targets}


def read_saved(facts: Mapping[str, Any], folder: Path, *, trained: bool) -> Saved | None:
    """What was learned, or None where the run stopped before that.

    Of a ``trained`` run the targets have what was settled last; one that goes on settles it anew.
    """
    if "reader" not in facts:
        return None
    settled = facts.get("settled", {}) if trained else {}
    return Saved(load_spec(facts["reader"], folder), {**facts.get("targets", {}), **settled})


@contextmanager
def _outside(resolved: ResolvedRecipe, folder: Path | None) -> Iterator[None]:
    """Around what opens files that we did not write: a run's, or weights. They are plain data or
    refused."""
    origins = [branch.origin for branch in resolved.branches.values()]
    named = [str(each.path or each.hub) for each in origins if each.path or each.hub]
    if folder is None and not named:
        yield
        return
    kind = WeightsError if folder is None else RunError
    with refused_as(kind, f"{folder or ', '.join(named)}: cannot be used"):
        for origin in origins:
            if origin.path is not None and origin.path.is_dir():
                check_tree(origin.path, links=True)
        yield


def _splits(resolved: ResolvedRecipe, catalog: Catalog, *, settled: bool) -> Splits:
    recipe, task = resolved.recipe, resolved.task
    return load_splits(
        recipe.data,
        modality=resolved.modality,
        task_columns=task.columns,
        stratify_by=task.stratify,
        seed=recipe.seed,
        settled=settled,
        files=task.files,
        rewrite=rewrite_of(task, resolved.task_options),
        labels_in=labels_in(task, resolved.task_options),
        formats=catalog.formats(),
    )


def train_table(resolved: ResolvedRecipe, catalog: Catalog) -> Table:
    """The training rows of a recipe, before any is read."""
    return _splits(resolved, catalog, settled=True).train


def reader_spec(resolved: ResolvedRecipe, raws: Iterable[Any]) -> Spec:
    """The reader's spec, from the weights and raw values."""
    with _outside(resolved, None):
        specs = {
            name: branch.backbone.reader(branch.origin, branch.reader_options)
            for name, branch in resolved.branches.items()
        }
    spec = join_branches(specs) if resolved.several else specs[""]
    return spec if resolved.modality.fit is None else resolved.modality.fit(raws, spec)


def _learn(resolved: ResolvedRecipe, train: Table) -> Saved:
    """The reader's spec and the targets' description, from the weights and the training rows."""
    task = resolved.task
    spec = reader_spec(resolved, LearnedValues(resolved, train))
    columns: dict[str, Sequence[Any]] = {
        name: train.files(name) if name in task.files else train.cells(name)
        for name in task.columns
    }
    read = labels_in(task, resolved.task_options)
    if read is not None and task.stratify is not None:
        columns[task.stratify] = label_lists(columns[task.stratify], read)
    try:
        if task.targets is None:
            return Saved(spec, {})
        made = with_known(
            task.targets,
            options=resolved.task_options,
            reader=resolved.modality.reader(spec),
            raws=train.raws(),
        )
        return Saved(spec, made(columns))
    except DataError as error:
        raise DataError(f"{train.name}: {error}") from error


def _rows(
    splits: Splits, reader: Reader, objective: Objective, recipe: Recipe, folder: Path | None
) -> dict[str, Rows]:
    """Every part that holds rows, read once; ``folder`` takes what is put in quarantine.

    Raises DataError with what is wrong in all of them.
    """
    apart = folder if recipe.data.on_bad_row == "quarantine" else None
    tables = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    rows: dict[str, Rows] = {}
    problems: list[str] = []
    for name, table in tables.items():
        if folder is not None:
            release(folder, name)
        if not len(table):
            continue
        try:
            rows[name] = Rows.audit(
                table,
                reader,
                objective,
                allowed_bad=recipe.data.bad_share,
                name=name,
                seed=recipe.seed,
                learned=name == "train",
                hand_over=None if apart is None else partial(quarantine, folder=apart, part=name),
            )
        except DataError as error:
            problems.append(str(error))
    if problems:
        written = [f"the rows were written to {apart / QUARANTINE}"] if apart is not None else []
        raise DataError("\n".join([*problems, *written]))
    return rows


def _augment(resolved: ResolvedRecipe, reader: Reader, objective: Objective) -> Augment | None:
    """The recipe's augmentation. Raises RecipeError where it would leave moving targets behind."""
    check_moves(objective.moves, objective.fills)
    strength, modality = resolved.recipe.training.augment.name, resolved.modality
    if strength == "none" or modality.augment is None:
        return None
    augment = modality.augment(strength, reader, resolved.augment_options)
    if objective.moves and not getattr(augment, "frames", False):
        problem = (
            f"training.augment: found {strength!r}; the augmentation of {modality.name} does not "
            f"carry the targets of {resolved.task.name!r} along ({', '.join(objective.moves)}): "
            "use 'none'"
        )
        raise RecipeError([problem])
    _check_joining(augment, resolved, objective)
    _check_mixing(augment, resolved, objective)
    return augment


def _check_joining(augment: Augment, resolved: ResolvedRecipe, objective: Objective) -> None:
    """Raise RecipeError where rows would be joined whose targets, or other branches, cannot be."""
    parts = getattr(augment, "branches", {}).values()
    joins = isinstance(augment, JoiningAugment)
    moving = objective.moves and POINTS not in objective.moves.values()
    if any(isinstance(each, JoiningAugment) for each in parts) or (joins and not moving):
        problem = (
            f"training.augment: several rows become one there (mosaic), and task "
            f"{resolved.task.name!r} has more to a row than masks or boxes on a picture; leave it "
            "out"
        )
        raise RecipeError([problem])


def _check_mixing(augment: Augment, resolved: ResolvedRecipe, objective: Objective) -> None:
    """Raise RecipeError where rows would be mixed whose targets, or other branches, cannot be."""
    parts = getattr(augment, "branches", {}).values()
    if any(isinstance(each, MixingAugment) for each in parts):
        problem = (
            "training.augment: rows are mixed there (mixup, cutmix), and their other branches "
            "cannot be; leave it out"
        )
        raise RecipeError([problem])
    if isinstance(augment, MixingAugment) and not objective.shares_targets:
        problem = (
            f"training.augment: rows are mixed there (mixup, cutmix), and a row of task "
            f"{resolved.task.name!r} cannot have two targets; leave it out"
        )
        raise RecipeError([problem])


def check_trained(folder: Path) -> None:
    """Raise RunError where a run has no trained model yet."""
    if not (folder / MODEL / HEAD).exists():
        raise RunError(
            f"{folder}: has no trained model yet; finish it with: {resume_command(folder)}"
        )
