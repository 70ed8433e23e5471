"""Building a run: from a recipe and its parts to rows, model and plan."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model

from multigraft.catalog import Catalog
from multigraft.data import Rows, Splits, Table, load_splits
from multigraft.device import choose_device
from multigraft.errors import DataError, RunError
from multigraft.graft import Graft
from multigraft.objectives import Brief, Objective
from multigraft.parts import Parts
from multigraft.readers import load_spec, save_spec
from multigraft.recipe import Recipe
from multigraft.records import Augment, Reader, Spec
from multigraft.report import Report
from multigraft.run import HEAD, MODEL, RECORD, Run, read_record
from multigraft.strategies import Plan
from multigraft.world import ALONE, World

log = logging.getLogger("multigraft")
LIBRARIES = ("torch", "transformers", "timm", "torchaudio", "datasets", "peft", "onnxruntime")


@dataclass(frozen=True)
class Saved:
    """What an earlier process learned from the data, so that it is not learned anew."""

    reader: Spec
    targets: Spec


def assemble(
    recipe: Recipe,
    parts: Parts,
    catalog: Catalog,
    folder: Path,
    *,
    dispatch: Callable[[str, Run], Report],
    saved: Saved | None = None,
    trained: bool = False,
    world: World = ALONE,
) -> Run:
    """Build a complete run in ``folder``. ``trained`` takes the weights from its ``model`` folder."""
    splits = _splits(recipe, parts)
    if trained:
        parts = replace(parts, origin=replace(parts.origin, path=folder / MODEL, hub=None), strategies=())
    learned = saved or _learn(parts, splits.train)
    reader = parts.modality.reader(learned.reader)
    torch.manual_seed(recipe.seed)
    objective, graft = _grow(parts, reader, learned)
    if trained:
        load_model(graft.head, str(folder / MODEL / HEAD), strict=True)
        graft.eval()
    else:
        _inherit_head(graft, parts, learned)
    return Run(
        folder=folder,
        recipe=recipe,
        parts=parts,
        catalog=catalog,
        reader=reader,
        targets=learned.targets,
        objective=objective,
        graft=graft,
        plan=_plan(graft, parts),
        rows=_rows(splits, reader, objective, recipe),
        augment=_augment(recipe, parts, reader),
        facts=_facts(recipe, parts, catalog, splits, world),
        dispatch=dispatch,
        world=world,
    )


def saved_facts(learned: Reader, targets: Spec, folder: Path) -> dict[str, Any]:
    """The facts from which `read_saved` restores what was learned; large parts become files."""
    return {"reader": save_spec(learned.spec(), folder), "targets": targets}


def read_saved(facts: Mapping[str, Any], folder: Path) -> Saved | None:
    """What was learned, or None where the run stopped before that."""
    if "reader" not in facts:
        return None
    return Saved(load_spec(facts["reader"], folder), facts["targets"])


def _splits(recipe: Recipe, parts: Parts) -> Splits:
    labelled = "label" in parts.task.columns
    return load_splits(
        recipe.data,
        modality=parts.modality,
        task_columns=parts.task.columns,
        stratify_by="label" if labelled else None,
        seed=recipe.seed,
    )


def _learn(parts: Parts, train: Table) -> Saved:
    """The reader's spec and the targets' description, from the weights and the training rows."""
    spec = parts.backbone.reader(parts.origin, parts.reader_options)
    if parts.modality.fit is not None:
        spec = parts.modality.fit(train.raws(), spec)
    columns = {name: train.cells(name) for name in parts.task.columns}
    return Saved(spec, parts.task.targets(columns) if parts.task.targets is not None else {})


def _grow(parts: Parts, reader: Reader, learned: Saved) -> tuple[Objective, Graft]:
    backbone = parts.backbone.build(parts.origin, learned.reader)
    objective = parts.task.objective(
        Brief(
            backbone=backbone,
            reader=reader,
            targets=learned.targets,
            options=parts.task_options,
            modality=parts.modality.name,
        )
    )
    return objective, Graft(backbone, objective.head())


def _inherit_head(graft: Graft, parts: Parts, learned: Saved) -> None:
    """Take over the head where the weights are a run of the same task with the same targets."""
    model = parts.origin.path
    if model is None or not (model / HEAD).exists() or not (model.parent / RECORD).exists():
        return
    parent = read_record(model.parent)
    if (parent["task"], parent.get("targets")) == (parts.task.name, learned.targets):
        load_model(graft.head, str(model / HEAD), strict=True)
        log.info("the head goes on from %s", model.parent)


def _plan(graft: Graft, parts: Parts) -> Plan:
    plan = Plan.start(graft)
    for strategy, options in parts.strategies:
        plan = strategy.plan(plan, options)
    return plan


def _rows(splits: Splits, reader: Reader, objective: Objective, recipe: Recipe) -> dict[str, Rows]:
    """Every part that holds rows, read once. Raises DataError with what is wrong in all of them."""
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    rows: dict[str, Rows] = {}
    problems: list[str] = []
    for name, table in parts.items():
        if not len(table):
            continue
        try:
            rows[name] = Rows.audit(
                table, reader, objective, allowed_bad=recipe.data.allowed_bad, name=name, seed=recipe.seed
            )
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("\n".join(problems))
    return rows


def _augment(recipe: Recipe, parts: Parts, reader: Reader) -> Augment | None:
    strength = recipe.training.augment.name
    if strength == "none" or parts.modality.augment is None:
        return None
    return parts.modality.augment(strength, reader, parts.augment_options)


def _facts(recipe: Recipe, parts: Parts, catalog: Catalog, splits: Splits, world: World) -> dict[str, Any]:
    owners = [
        catalog.owner("modalities", parts.modality.name),
        catalog.owner("backbones", parts.backbone.name),
        catalog.owner("tasks", parts.task.name),
    ]
    return {
        "multigraft": version("multigraft"),
        "task": parts.task.name,
        "stage": parts.task.stage,
        "modality": parts.modality.name,
        "backbone": recipe.backbone.name,
        "weights": _weights(parts),
        "seed": recipe.seed,
        "plugins": {owner.name: owner.version for owner in owners},
        "versions": {"python": platform.python_version(), **_versions()},
        "machine": {
            "threads": torch.get_num_threads(),
            "device": choose_device().type,
            "processes": world.size,
        },
        "data": splits.facts,
        "notes": list(splits.notes),
    }


def _weights(parts: Parts) -> str:
    origin = parts.origin
    return str(origin.path) if origin.path is not None else origin.hub or "scratch"


def _versions() -> dict[str, str]:
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def check_trained(folder: Path) -> None:
    """Raise RunError where a run has no trained model yet."""
    if not (folder / MODEL / HEAD).exists():
        raise RunError(f"{folder}: has no trained model yet; finish it with: multigraft resume {folder}")
