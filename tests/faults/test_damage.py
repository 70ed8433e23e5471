"""A checkpoint that the disk spoiled is not used: the one before is, and the run ends with the same
bits."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.ends import differences, leftovers
from faults.harness import Calm, Undisturbed
from faults.life import Fate, Room, live
from faults.watch import Strike

SAVED = "checkpoint write: after Checkpoints.save"


def torn(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def flipped(path: Path) -> None:
    """One bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def gone(path: Path) -> None:
    path.unlink()


@pytest.fixture
def calm(undisturbed: Undisturbed) -> Calm:
    return undisturbed("text-gradual")


@pytest.mark.parametrize(
    ("pattern", "file", "harm"),
    [
        ("step-*", "model.safetensors", torn),
        ("step-*", "optimizer.safetensors", flipped),
        ("step-*", "average.safetensors", gone),
        ("step-*", "state.json", flipped),
        ("step-*", "manifest.json", emptied),
        ("best-*", "model.safetensors", flipped),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_and_the_end_is_the_same(
    calm: Calm, tmp_path: Path, pattern: str, file: str, harm: Callable[[Path], None]
) -> None:
    room = Room(tmp_path)
    end = live(calm.case, calm.data, room, Fate([Strike(SAVED, 4)]))
    assert end.killed
    newest = max((room.run / "checkpoints").glob(pattern))
    harm(newest / file)
    assert live(calm.case, calm.data, room).code == 0, room.told()
    assert "going on from what was before it" in room.told()
    assert not differences(calm.room, room)
    assert not leftovers(room, [end.process])


def test_where_every_checkpoint_is_damaged_it_starts_anew_with_the_same_end(
    calm: Calm, tmp_path: Path
) -> None:
    room = Room(tmp_path)
    assert live(calm.case, calm.data, room, Fate([Strike(SAVED, 4)])).killed
    for path in (room.run / "checkpoints").glob("*/model.safetensors"):
        torn(path)
    assert live(calm.case, calm.data, room).code == 0, room.told()
    assert not differences(calm.room, room)
