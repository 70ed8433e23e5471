"""What the disk refuses ends a run with a word on what to do; nothing that was saved before is
lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.ends import differences, leftovers
from faults.harness import Calm, Undisturbed
from faults.life import Fate, Room, live
from faults.watch import Strike
from multigraft.training.checkpoint.integrity import damage

WRITING = "checkpoint write: before tensors"
SIZE = "64m"


@pytest.fixture
def calm(undisturbed: Undisturbed) -> Calm:
    return undisturbed("text-gradual")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of the test's own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = _mount("-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder))
    if made.returncode:
        pytest.skip(f"no file system may be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(["mount"], 1, "", str(error))


def check_saved(room: Room) -> None:
    """What was saved before is there and whole, and nothing else is."""
    saved = sorted((room.run / "checkpoints").iterdir())
    assert any(path.name.startswith("step-") for path in saved)
    assert not [path for path in saved if path.name.startswith(".") or damage(path)]


def test_a_writer_that_fails_loses_nothing_and_the_run_goes_on(calm: Calm, tmp_path: Path) -> None:
    """Runs everywhere: half a file is written, then the disk is said to be full."""
    room = Room(tmp_path)
    end = live(calm.case, calm.data, room, Fate([Strike(WRITING, 9, "refuse writing")]))
    assert end.code == 1, room.told()
    assert "the disk is full; make room; what was saved before is whole" in room.told()
    check_saved(room)
    assert live(calm.case, calm.data, room).code == 0, room.told()
    assert not differences(calm.room, room)
    assert not leftovers(room, [end.process])


def test_a_full_disk_loses_nothing_and_the_run_goes_on(
    calm: Calm, tmp_path: Path, disk: Path
) -> None:
    room = Room(tmp_path, disk)
    end = live(calm.case, calm.data, room, Fate([Strike(WRITING, 9, "fill the disk")]))
    assert end.code == 1, room.told()
    assert "the disk is full; make room" in room.told()
    check_saved(room)
    (disk / "ballast").unlink()
    assert live(calm.case, calm.data, room).code == 0, room.told()
    assert not differences(calm.room, room)
    assert not leftovers(room, [end.process])


def test_a_folder_that_may_not_be_written_is_named_and_the_run_goes_on_later(
    calm: Calm, tmp_path: Path, disk: Path
) -> None:
    room = Room(tmp_path, disk)
    assert live(calm.case, calm.data, room, Fate([Strike(WRITING, 9)])).killed
    assert not _mount("-o", "remount,ro", str(disk)).returncode
    assert live(calm.case, calm.data, room).code == 1
    assert "may not be written; allow it" in room.told()
    assert not _mount("-o", "remount,rw", str(disk)).returncode
    assert live(calm.case, calm.data, room).code == 0, room.told()
    assert not differences(calm.room, room)


def test_a_folder_that_vanishes_is_named(calm: Calm, tmp_path: Path) -> None:
    room = Room(tmp_path)
    end = live(
        calm.case,
        calm.data,
        room,
        Fate([Strike("step: after ScheduledOptimizer.step", 2, "remove the folder")]),
    )
    assert end.code == 1, room.told()
    assert "the run's folder was removed while the run was going on" in room.told()
    assert not os.path.lexists(room.run / "model")
