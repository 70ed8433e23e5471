"""Two processes on one run, and a wall clock that is set back: neither changes the end."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import psutil

from faults.cases import CASES
from faults.ends import differences, leftovers
from faults.harness import Undisturbed, calm_life
from faults.life import Fate, Room, begin, live
from faults.watch import Strike

CASE = replace(CASES["image-export"], features=("augmentation", "workers", "EMA"), exports=())
"""With reading processes, which inherit what the training process holds."""


def test_a_second_process_is_kept_out_and_let_in_when_the_first_is_killed(tmp_path: Path) -> None:
    calm, room = calm_life(CASE, tmp_path), Room(tmp_path / "shared")
    stop = Strike("step: after ScheduledOptimizer.step", 5, "SIGSTOP")
    first = begin(CASE, calm.data, room, Fate([stop]))
    while psutil.Process(first.pid).status() != psutil.STATUS_STOPPED:
        assert first.is_alive(), room.told()
        time.sleep(0.05)
    assert live(CASE, calm.data, room).code == 1
    assert f"process {first.pid} on" in room.told()
    assert "is at work on this run; wait for it, or end it first" in room.told()
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    assert live(CASE, calm.data, room).code == 0, room.told()
    assert not differences(calm.room, room)
    assert not leftovers(room, [first.pid])


def test_a_wall_clock_that_is_set_back_changes_nothing(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    calm, room = undisturbed("text-replay"), Room(tmp_path)
    fates = [
        Fate([Strike("replay build: after os.rename", 2)]),
        Fate([Strike("step: after ScheduledOptimizer.step", 5)], clock=-7200.0),
        Fate([Strike("model save: before os.rename", 1)], clock=-4e7),
    ]
    for fate in fates:
        assert live(calm.case, calm.data, room, fate).killed, room.told()
    assert live(calm.case, calm.data, room, Fate(clock=-3600.0)).code == 0, room.told()
    assert not differences(calm.room, room)
    assert not leftovers(room, [])
