"""The first record of a run: what run.json says when the run begins."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

import torch

from multigraft.contracts.reader import TellingReader
from multigraft.contracts.readers import fingerprint
from multigraft.contracts.types import Spec
from multigraft.data import Rows, Splits, label_notes, labels_in, told
from multigraft.data.reporting import odd_notes
from multigraft.plugins.catalog import Catalog
from multigraft.recipe.resolved import ResolvedRecipe
from multigraft.runs.provenance import owners_of
from multigraft.system.compute.device import choose_device
from multigraft.system.compute.processes import World
from multigraft.system.versions import installed_versions

LIBRARIES = ("torch", "transformers", "timm", "torchaudio", "datasets", "peft", "onnxruntime")


def run_facts(resolved: ResolvedRecipe, catalog: Catalog, world: World) -> dict[str, Any]:
    """Record what the run is made of, by whom, and on which machine."""
    recipe, owners = resolved.recipe, owners_of(catalog, resolved)
    return {
        "multigraft": version("multigraft"),
        "task": resolved.task.name,
        "stage": resolved.task.stage,
        "modality": resolved.modality.name,
        "backbone": recipe.backbone_name,
        "weights": _weights(resolved),
        "seed": recipe.seed,
        "plugins": {
            each.plugin: each.version for each in owners.values() if each.plugin != "engine"
        },
        "owners": {part: owner.model_dump() for part, owner in owners.items()},
        "versions": {"python": platform.python_version(), **installed_versions(LIBRARIES)},
        "machine": {
            "threads": torch.get_num_threads(),
            "device": choose_device().type,
            "processes": world.size,
        },
    }


def data_facts(
    splits: Splits, rows: Mapping[str, Rows], resolved: ResolvedRecipe, targets: Spec
) -> dict[str, Any]:
    """Record the rows: what they are, which were left out, and what to know about them."""
    task = resolved.task
    column = task.stratify
    labels = targets.get("labels", ())
    return {
        "data": {
            split: {**facts, **_left_out(rows.get(split))} for split, facts in splits.facts.items()
        },
        "gathered": splits.train.content.gathered,
        "bad_rows": told({split: each.problems for split, each in rows.items()}),
        "leaks": [leak.record() for leak in splits.leaks],
        "notes": [
            *_missing(rows, resolved),
            *_told(rows.get("train")),
            *(note for split, each in rows.items() for note in odd_notes(each, split)),
            *splits.notes,
            *_doubts(rows.get("train")),
            *label_notes(
                rows,
                labels,
                column=column,
                labels_in=labels_in(task, resolved.task_options),
            ),
        ],
    }


def _missing(rows: Mapping[str, Rows], resolved: ResolvedRecipe) -> Iterator[str]:
    """Count the rows of each split that lack the value of a branch."""
    if resolved.recipe.data.missing != "allow":
        return
    for split, each in rows.items():
        held = [each.raw(index) for index in range(len(each))]
        for branch in resolved.branches:
            if lacking := sum(branch not in raw for raw in held):
                yield f"{split}: {lacking} of {len(held)} rows have no {branch!r}"


def _told(rows: Rows | None) -> Iterator[str]:
    """What the reader has to say of how it reads."""
    if rows is not None and isinstance(rows.reader, TellingReader):
        yield from rows.reader.told()


def _weights(resolved: ResolvedRecipe) -> str:
    told = {
        name: str(branch.origin.path or branch.origin.hub or "scratch")
        for name, branch in resolved.branches.items()
    }
    return (
        ", ".join(f"{name}: {each}" for name, each in told.items())
        if resolved.several
        else told[""]
    )


def _doubts(rows: Rows | None) -> Iterator[str]:
    """What the objective has to say of the training rows as they are read."""
    if rows is not None:
        read = (rows[index] for index in range(len(rows)))
        yield from (f"train: {doubt}" for doubt in rows.objective.doubts(read))


def _left_out(rows: Rows | None) -> dict[str, Any]:
    """Count a split's rows left out, and hash which: a run opened again must see the same."""
    if rows is None or not rows.problems:
        return {}
    places = sorted(problem.place for problem in rows.problems)
    return {"left_out": len(places), "left_out_fingerprint": fingerprint({"places": places})}
