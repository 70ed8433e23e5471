"""Worker processes change no bit, and one that is lost costs nothing but speed."""

from __future__ import annotations

import ctypes
import faulthandler
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multigraft.data.batching import worker_pool
from multigraft.data.batching.worker_pool import read_apart

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked here")
PARENT = os.getpid()
LOST = 5


def batch(number: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    arrays = {
        "image": np.full((3, 4, 5), number, np.uint8),
        "turned": np.arange(6.0).reshape(2, 3).T + number,
        "none": np.zeros((2, 0), np.float32),
        "one": np.asarray(number),
        "flag": np.array([True, False]),
        "half": np.array([1.5], np.float16),
        "swapped": np.array([1, 2], ">i4"),
        "words": np.array(["a", "bc"]),
    }
    return np.array([number, -number]), arrays


def apart() -> bool:
    return os.getpid() != PARENT


def wait_for_ever() -> None:
    time.sleep(1000)


def hang_in_c() -> None:
    """Hold the lock of the interpreter, so that no thread of the worker hears anything."""
    ctypes.PyDLL(None).sleep(1000)


def no_more_memory() -> None:
    raise MemoryError


def crash() -> None:
    faulthandler.disable()  # its report would stand between the tests
    os.kill(os.getpid(), signal.SIGBUS)


def leave() -> None:
    os._exit(3)


FAULTS: dict[str, tuple[Callable[[], Any], str]] = {
    "killed": (
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        "was ended by SIGKILL, as where memory runs out",
    ),
    "crashed": (crash, "was ended by SIGBUS"),
    "left": (leave, "has ended"),
    "hangs": (wait_for_ever, "gave nothing for"),
    "hangs in C": (hang_in_c, "gave nothing for"),
    "stopped": (lambda: os.kill(os.getpid(), signal.SIGSTOP), "gave nothing for"),
    "memory": (no_more_memory, r"failed \(MemoryError: MemoryError\)"),
}


def odd(fault: Callable[[], Any], *, always: bool = False) -> Callable[[int], Any]:
    """Make batches; at one of them something happens to a worker, and to nobody else."""

    def read(number: int) -> Any:
        if apart() and (always or number == LOST):
            fault()
        return batch(number)

    return read


def same(found: list[Any], numbers: range) -> bool:
    for number, (indices, arrays) in zip(numbers, found, strict=True):
        wanted, expected = batch(number)
        assert indices.tolist() == wanted.tolist()
        assert list(arrays) == list(expected)
        for name, array in arrays.items():
            assert (array.dtype, array.shape) == (expected[name].dtype, expected[name].shape)
            assert array.tolist() == expected[name].tolist()
    return True


@pytest.mark.parametrize("workers", [1, 2, 3, 20])
def test_batches_come_in_order_and_as_they_were_made(workers: int) -> None:
    assert same(list(read_apart(batch, range(3, 12), workers=workers)), range(3, 12))
    assert list(read_apart(batch, range(0), workers=workers)) == []
    assert not multiprocessing.active_children()


def test_it_is_the_workers_that_read() -> None:
    makers = {
        int(arrays["maker"])
        for _, arrays in read_apart(
            lambda number: (np.zeros(1), {"maker": np.asarray(os.getpid())}), range(6), workers=2
        )
    }
    assert len(makers) == 2
    assert os.getpid() not in makers


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("always", [False, True])
def test_a_lost_worker_costs_no_batch(
    name: str, always: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker_pool, "SILENT", 0.5)
    monkeypatch.setattr(worker_pool, "PATIENCE", 0.2)
    fault, why = FAULTS[name]
    told: list[bool] = []
    found = list(
        read_apart(odd(fault, always=always), range(12), workers=2, alone=lambda: told.append(True))
    )
    assert same(found, range(12))
    assert told == [True]
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert re.search(f"rows ahead {why}", record.message)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    "odd_array",
    [np.array([object()]), np.array([{"a": 1}, None]), np.array(["text"], dtype=object)],
)
def test_what_cannot_be_sent_is_made_here(
    odd_array: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    found = list(read_apart(lambda number: (np.zeros(1), {"odd": odd_array}), range(3), workers=2))
    assert all(arrays["odd"] is odd_array for _, arrays in found)
    assert "cannot be sent" in caplog.text


def test_an_error_of_reading_is_raised_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    class Own(Exception):
        """One that could not be sent: it needs two arguments."""

        def __init__(self, one: int, two: int) -> None:
            super().__init__(one, two)

    def read(number: int) -> Any:
        if number == LOST:
            raise Own(1, 2)
        return batch(number)

    found = []
    with pytest.raises(Own):
        for item in read_apart(read, range(12), workers=2):
            found.append(item)
    assert same(found, range(LOST))
    assert not caplog.records
    assert not multiprocessing.active_children()


def test_whoever_stops_early_leaves_no_process() -> None:
    loaded = read_apart(batch, range(1000), workers=3)
    next(loaded)
    assert len(multiprocessing.active_children()) == 3
    loaded.close()
    assert not multiprocessing.active_children()


def test_where_no_process_can_be_started_this_one_reads(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    assert same(list(read_apart(batch, range(5), workers=2)), range(5))
    assert "could not be started" in caplog.text


def _in_a_daemon(answers: Any) -> None:
    answers.put([int(indices[0]) for indices, _ in read_apart(batch, range(5), workers=1)])


def test_a_daemonic_process_reads_alone() -> None:
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    process = context.Process(target=_in_a_daemon, args=(answers,), daemon=True)
    process.start()
    process.join(20)
    assert process.exitcode == 0
    assert answers.get() == [0, 1, 2, 3, 4]


def test_workers_leave_when_their_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, sys, time, numpy as np\n"
        "from multigraft.data.batching.worker_pool import read_apart\n"
        "import multiprocessing\n"
        "loaded = read_apart(lambda n: (np.zeros(1), {}), range(99), workers=2)\n"
        "next(loaded)\n"
        "print(*[child.pid for child in multiprocessing.active_children()], flush=True)\n"
        "time.sleep(100)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(workers) == 2
    deadline = time.monotonic() + 10
    while any(_runs(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def _can_mount() -> bool:
    tried = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "none", "/dev/shm"]
    try:
        return subprocess.run(tried, capture_output=True, check=False, timeout=20).returncode == 0
    except FileNotFoundError:
        return False


LARGE = """
import tempfile, sys
import numpy as np
from multigraft.data.batching.worker_pool import read_apart
def read(number):
    return np.arange(64), {"image": np.full((64, 224, 224, 3), number, np.uint8)}
sums = [int(batch["image"].sum()) for _, batch in read_apart(read, range(10), workers=8)]
assert sums == [number * 64 * 224 * 224 * 3 for number in range(10)], sums
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("size", ["64m", "4k"])
def test_a_small_dev_shm_hinders_no_worker(size: str) -> None:
    """Docker's default, and next to nothing: 8 workers with batches of 64 pictures of 224
    pixels."""
    if not _can_mount():
        pytest.skip("no file system may be mounted here")
    script = f"mount -t tmpfs -o size={size} none /dev/shm && exec {sys.executable} -c '{LARGE}'"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_is_put_into_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where nothing may be mounted: a folder of the size of one file, and no temporary
    folder."""
    monkeypatch.setenv("TMPDIR", "/nowhere")
    before = sorted(os.listdir("/dev/shm")) if Path("/dev/shm").is_dir() else []  # noqa: PTH208
    loaded = read_apart(batch, range(40), workers=2)
    next(loaded)
    during = sorted(os.listdir("/dev/shm")) if Path("/dev/shm").is_dir() else []  # noqa: PTH208
    assert set(during) <= set(before)
    assert same([batch(0), *loaded], range(40))
