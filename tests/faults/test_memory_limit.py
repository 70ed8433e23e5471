"""Training within a limit of memory takes microbatches or says that memory ran out; never hangs."""

from __future__ import annotations

import re
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from faults.cases import CASES
from faults.life import Fate, Room, live

MIB = 2**20
SPARE = (1, 4, 16, 32, 64, 128, 192, 256, 512, 1024)
"""From just too little to enough, in MiB."""
NATIVE = {-signal.SIGSEGV: "crashed", -signal.SIGABRT: "aborted", 127: "ended by the C library"}
"""Ends of native libraries that use what they found no memory for; rare, and not in our hands.

glibc leaves with 127 where it has no memory for a thread's own data.
"""
OURS = re.compile("error: .*memory ran out")
"""An error of ours that is not told as a fault of the file which was being read."""
TRAINING = {"epochs": 1, "batch_size": 32, "workers": 0, "accumulation": 1}


@pytest.mark.slow
@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="limits of the address space are Linux's"
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["text-gradual", "image-threads-bf16", "audio-lora"])
def test_at_every_limit_a_training_ends_or_says_that_memory_ran_out(
    name: str, precision: str, tmp_path: Path
) -> None:
    case = replace(CASES[name], training={**TRAINING, "precision": precision}, rows=64, threads=1)
    data, ends = case.make_data(tmp_path), {}
    for spare in SPARE:
        room = Room(tmp_path / str(spare))
        end = live(case, data, room, Fate(memory=spare * MIB))
        ends[spare] = {0: "finished", **NATIVE}.get(end.code) or _last(room)
    ours = [said for said in ends.values() if said not in NATIVE.values()]
    assert all(said == "finished" or OURS.match(said) for said in ours), ends
    assert "finished" in ends.values() and {*ends.values()} != {"finished"}, ends


def _last(room: Room) -> str:
    """The line of our error, or the last words."""
    lines = room.told().strip().splitlines() or ["nothing"]
    return next((line for line in lines if line.startswith("error: ")), lines[-1])
