"""SIGTERM and Ctrl-C save at once, wherever they come; the resumed run ends with the same bits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from faults.cases import CASES
from faults.ends import differences, leftovers
from faults.harness import Undisturbed, calm_life
from faults.life import Fate, Room, live
from faults.watch import Strike
from multigraft.runs.record import read_record

SOON = 10.0
"""Seconds in which a run that is asked to stop has saved and left."""
LIMIT = 120.0


@pytest.mark.parametrize(
    ("name", "event", "number"),
    [
        ("text-gradual", "step: before Gradient.compute", 7),
        ("text-gradual", "validation: a batch is computed", 2),
        ("text-replay", "replay build: rows are computed", 3),
        ("image-replay", "replay build: before os.rename", 2),
        ("audio-replay", "replay build: open to write", 4),
    ],
)
def test_asked_to_stop_it_saves_soon_and_ends_with_the_same_bits(
    name: str, event: str, number: int, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    calm, room = undisturbed(name), Room(tmp_path)
    end = live(calm.case, calm.data, room, Fate([Strike(event, number, "SIGTERM")]))
    assert end.code == 128 + signal.SIGTERM, room.told()
    assert end.seconds < calm.seconds + SOON
    assert "SIGTERM: saving" in room.told()
    assert read_record(room.run)["state"] == "interrupted"
    assert list((room.run / "checkpoints").glob("step-*"))
    assert live(calm.case, calm.data, room).code == 0, room.told()
    assert not differences(calm.room, room)
    assert not leftovers(room, [end.process])


CASE = replace(
    CASES["text-gradual"],
    rows=200,
    training={"epochs": 3, "accumulation": 8, "ema": 0.9, "workers": 1, "log_every": 1},
)
"""With long steps, so that a second signal finds the first one still being answered."""


def test_the_command_line_stops_tells_how_to_go_on_and_ends_with_the_same_bits(
    tmp_path: Path,
) -> None:
    calm, room = calm_life(CASE, tmp_path), Room(tmp_path / "asked")
    room.root.mkdir()
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(CASE.written(calm.data, room.run)))
    asked: list[tuple[list[str], list[signal.Signals]]] = [
        (["finetune", str(recipe)], [signal.SIGINT]),
        (["resume", str(room.run)], [signal.SIGINT, signal.SIGINT]),
        (["resume", str(room.run)], [signal.SIGTERM]),
    ]
    groups = []
    for words, signals in asked:
        process, said = _command(words, signals, room)
        groups.append(process.pid)
        assert process.returncode == 128 + signals[-1], said
        assert f"{signals[0].name}: saving" in said
        assert f"go on with: multigraft resume {room.run}" in said
    assert live(CASE, calm.data, room).code == 0, room.told()
    assert [*calm.room.run.glob("model/*")]
    assert not [wrong for wrong in differences(calm.room, room) if not wrong.startswith("step")]
    assert not leftovers(room, groups)


def _command(
    words: list[str], signals: list[signal.Signals], room: Room
) -> tuple[subprocess.Popen[bytes], str]:
    """Run the command as a terminal does, in a group of its own, and send that the signals as it
    trains."""
    before, told = _lines(room), room.root / "told"
    environment = {
        **os.environ,
        "MULTIGRAFT_CACHE": str(room.cache),
        "COLUMNS": "1000",
        "OMP_NUM_THREADS": str(CASE.threads),  # as the undisturbed run has
    }
    with told.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "multigraft.cli", *words],
            stdout=file,
            stderr=file,
            start_new_session=True,
            env=environment,
        )
    try:
        _wait(process, lambda: _lines(room) > before and _trains(room), told)
        os.killpg(process.pid, signals[0])
        for number in signals[1:]:
            _wait(
                process, lambda: b"saving" in told.read_bytes() or process.poll() is not None, told
            )
            if process.poll() is None:
                os.killpg(process.pid, number)
        process.wait(LIMIT)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process, told.read_text()


def _lines(room: Room) -> int:
    path = room.run / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _trains(room: Room) -> bool:
    record = room.run / "run.json"
    return record.exists() and json.loads(record.read_text())["state"] == "running"


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], bool], told: Path) -> None:
    deadline = time.monotonic() + LIMIT
    while not ready():
        assert process.poll() is None, told.read_text()
        assert time.monotonic() < deadline, told.read_text()
        time.sleep(0.02)
