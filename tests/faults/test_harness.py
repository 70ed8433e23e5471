"""The harness itself: it sees what differs and what was left, and draws rare moments as often as
others."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from faults.cases import CASES
from faults.conftest import HERE, pytest_terminal_summary
from faults.ends import differences, leftovers
from faults.harness import Point, Trial, Undisturbed, draw, trial
from faults.life import Room
from multigraft.system.lock import HOLDER

NAME = "text-gradual"
FEATURES = {
    "workers",
    "augmentation",
    "bf16",
    "accumulation",
    "EMA",
    "early stopping",
    "gradual unfreezing",
    "LoRA",
    "replay",
    "gradient checkpointing",
    "packing",
    "batch budget",
    "export",
    "two threads",
    "two processes",
    "several branches",
    "missing values",
    "metrics of answers",
    "windows",
}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def other_metric(room: Room) -> None:
    path = room.run / "reports" / "evaluate.json"
    report = json.loads(path.read_text())
    report["metrics"]["accuracy"]["value"] += 1e-9
    path.write_text(json.dumps(report))


def other_row(room: Room) -> None:
    path = room.order()[0]
    lines = path.read_text().splitlines()
    step, rows, *rest = json.loads(lines[0])
    rows[0][0], rows[0][1] = rows[0][1], rows[0][0]
    path.write_text("\n".join([json.dumps([step, rows, *rest]), *lines[1:]]) + "\n")


def second_line(room: Room) -> None:
    path = room.run / "metrics.jsonl"
    path.write_text(path.read_text() + path.read_text().splitlines(keepends=True)[-1])


CHANGES: dict[str, Callable[[Room], None]] = {
    "model/head.safetensors: other bytes": lambda room: flip(
        room.run / "model" / "head.safetensors"
    ),
    "metrics.jsonl: other bytes": second_line,
    "reports/evaluate.json: other metrics": other_metric,
    "step 1: made of": other_row,
}
LEFT: dict[str, Callable[[Room], object]] = {
    "run/.model.new was left": lambda room: (room.run / ".model.new").mkdir(),
    "is not as it was written": lambda room: flip(
        next((room.run / "checkpoints").glob("step-*/optimizer.safetensors"))
    ),
    f"{HOLDER} was left": lambda room: (room.run / HOLDER).touch(),
}


@pytest.fixture
def copied(undisturbed: Undisturbed, tmp_path: Path) -> Room:
    shutil.copytree(undisturbed(NAME).room.root, tmp_path / "copy")
    return Room(tmp_path / "copy")


@pytest.mark.parametrize("what", CHANGES)
def test_the_smallest_difference_is_seen(what: str, copied: Room, undisturbed: Undisturbed) -> None:
    calm = undisturbed(NAME).room
    assert not differences(calm, copied)
    CHANGES[what](copied)
    assert [found for found in differences(calm, copied) if what in found]


@pytest.mark.parametrize("what", LEFT)
def test_what_was_left_is_seen(what: str, copied: Room) -> None:
    assert not leftovers(copied, [])
    LEFT[what](copied)
    assert [found for found in leftovers(copied, []) if what in found]


def test_a_run_that_ends_before_it_is_killed_makes_way_for_another(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    calm, rng = undisturbed(NAME), np.random.default_rng(0)
    step = next(index for index, (event, _) in enumerate(calm.events) if event.startswith("step: "))
    late = Point(calm.second(step) + 10 * calm.seconds)
    done = trial(calm, tmp_path / "killed", [late, Point(calm.second(step), step)], rng, asked=0)
    assert not done.wrong
    assert (done.kills.total(), done.lives) == (1, 3), done.story
    assert done.told(7) is None


def test_what_was_wrong_is_told_with_its_seed() -> None:
    done = Trial(CASES[NAME], story=["killed after 1 s: ended with 0 at step"])
    assert done.told(7) == (
        "MULTIGRAFT_FAULT_SEED=7\n  nothing was killed\n  killed after 1 s: ended with 0 at step"
    )
    done = Trial(CASES[NAME], kills=Counter(step=1), wrong=["metrics.jsonl: other bytes"])
    assert done.told(7) == "MULTIGRAFT_FAULT_SEED=7\n  metrics.jsonl: other bytes"


def test_what_was_wrong_is_in_the_last_lines() -> None:
    """Below the summary, whose lines are as short as a terminal is wide."""
    said: list[str] = []
    crash = SimpleNamespace(
        reprcrash=SimpleNamespace(message="MULTIGRAFT_FAULT_SEED=7\n  other bytes")
    )
    reports = [
        SimpleNamespace(
            nodeid=f"{folder}/test_x.py::test", fspath=f"{folder}/test_x.py", longrepr=crash
        )
        for folder in (str(HERE), "tests/core")
    ]
    shown = SimpleNamespace(stats={"failed": reports}, write_line=said.append)
    summary = pytest_terminal_summary(shown)
    next(summary)
    assert not said
    assert next(summary, None) is None
    assert said == [f"{HERE}/test_x.py::test: MULTIGRAFT_FAULT_SEED=7\n  other bytes"]


def test_every_place_and_every_swap_is_drawn(undisturbed: Undisturbed) -> None:
    calm, rng = undisturbed(NAME), np.random.default_rng(0)
    drawn = {
        calm.events[point.index][0]
        for _ in range(150)
        for point in draw(calm, rng, 4)
        if point.index is not None
    }
    for event in (
        "checkpoint write: before os.rename",
        "checkpoint write: after os.rename",
        "checkpoint write: tensors half written",
        "model save: before os.rename",
        "model save: after os.rename",
        "journal: line half written",
    ):
        assert event in drawn
    places = {name.partition(":")[0] for name in drawn}
    assert places >= {
        "assembly",
        "step",
        "validation",
        "evaluation",
        "checkpoint read",
        "run.json",
        "report",
    }
    assert places == {name.partition(":")[0] for name, _ in calm.events}


def test_every_feature_is_in_the_matrix_and_every_modality_is_replayed_and_exported() -> None:
    features = {feature for case in CASES.values() for feature in case.features}
    assert features >= FEATURES
    for feature in ("replay", "export", "EMA"):
        modalities = {case.modality for case in CASES.values() if feature in case.features}
        assert modalities >= {"text", "image", "audio"}, feature
