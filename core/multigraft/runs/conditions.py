"""Conditions to resume or repeat a run: its data, recipe, processes and threads."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multigraft.errors import RunError
from multigraft.recipe import read_mapping
from multigraft.runs.recipe_changes import changes
from multigraft.runs.run import RECIPE
from multigraft.system.compute.processes import World
from multigraft.system.resume_command import RECORD, resume_command

THREADS = 64
"""Threads that are started where a record asks for them, on a machine with fewer processors too."""


def threads(facts: Mapping[str, Any]) -> int | None:
    """Read the threads a run computed with. Raises RunError for more than this machine has."""
    count: int | None = facts.get("machine", {}).get("threads")
    most = max(THREADS, os.cpu_count() or 1)
    if count is not None and count > most:
        raise RunError(
            f"{RECORD}: the run was computed with {count} threads, and at most {most} are started "
            "here; its sums cannot be repeated on this machine"
        )
    return count


def same_world(
    facts: Mapping[str, Any], folder: Path, world: World, *, verb: str = "resume"
) -> None:
    """Raise RunError where the run was trained by another number of processes."""
    before = facts.get("machine", {}).get("processes", 1)
    if before != world.size:
        raise RunError(
            f"{folder}: was begun by {before} {'process' if before == 1 else 'processes'} "
            f"together, not by {world.size}; a step would have other rows, so start as many: "
            f"{resume_command(folder, verb=verb)}"
        )


def same_recipe(facts: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Read the run's recipe. Raises RunError where what decides the training was changed in it."""
    now = read_mapping(folder / RECIPE)
    if lines := recipe_changes(facts, now):
        advice = "put it back, or start a new run with the new one (in a folder of its own)"
        raise RunError(
            "\n  ".join([f"{folder / RECIPE}: was changed since the run began; {advice}", *lines])
        )
    return now


def recipe_changes(facts: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """List the fields that the run did not begin with; none where its record does not say."""
    return changes(facts.get("recipe") or now, now)


def same_data(before: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """Raise RunError where the rows are not those of the record."""
    if before.get("data") != json.loads(json.dumps(now["data"])):
        raise RunError(
            f"{folder}: the data changed since the run began (fingerprints in {RECORD}); put the "
            "old files back, or start a new run"
        )
