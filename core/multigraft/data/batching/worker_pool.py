"""Worker processes that make batches; where one is lost, this process reads on alone."""

from __future__ import annotations

import json
import logging
import multiprocessing
import signal
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from multigraft.data.batching.prefetch import read_ahead
from multigraft.errors import first_line
from multigraft.system.signals import heed_parent, unheard

log = logging.getLogger("multigraft")
Item = tuple[np.ndarray, dict[str, np.ndarray]]
"""The numbers of a batch's rows, and its arrays."""
AHEAD = 2
"""Batches that a worker is asked for before the first of them is taken."""
SILENT = 300.0
"""Seconds without a byte of the batch that is waited for, after which a worker counts as hung."""
PATIENCE = 2.0
"""Seconds that a worker has to leave, before it is told to, and then is killed."""
KILLED = 30.0
"""Seconds that a busy machine may need to take a killed worker away."""
WORD = struct.Struct("<q")
INDICES = ""
"""The name under which a batch's row numbers travel."""


class Lost(Exception):
    """A worker that can give no more batches; says why."""


def read_apart(
    read: Callable[[int], Item],
    numbers: Sequence[int],
    *,
    workers: int,
    begin: Callable[[], object] = lambda: None,
    alone: Callable[[], object] = lambda: None,
) -> Iterator[Item]:
    """``read(number)`` for each number in order, made by ``workers`` processes that call ``begin``
    first.

    A worker that ends, hangs, or cannot send what it made costs nothing but speed: from that batch
    on this process reads itself, says why, and calls ``alone``. So an error of ``read`` is raised
    here, as it is. Batches come through sockets and not through shared memory, of which a container
    may have next to none.
    """
    pool, done = _Pool(), 0
    try:
        pool.start(read, numbers, workers, begin)
        for number in numbers:
            item = pool.take(number)
            done += 1
            yield item
        return
    except Lost as lost:
        why = str(lost)
    finally:
        pool.close()
    rest = read_ahead(read, numbers[done:])
    first = next(rest)  # where this fails too, its error tells more than a worker's end
    log.warning(
        "a process that reads rows ahead %s; this one reads on alone (training.workers: 0)", why
    )
    alone()
    yield first
    yield from rest


class _Pool:
    """The parent's side: worker ``i`` of ``n`` makes every n-th batch."""

    def __init__(self) -> None:
        self._processes: list[Any] = []
        self._lines: list[socket.socket] = []
        self._pending: list[list[int]] = []
        """Of each worker: the numbers it has not been asked for yet, the next one last."""
        self._turn = 0

    def start(
        self,
        read: Callable[[int], Item],
        numbers: Sequence[int],
        workers: int,
        begin: Callable[[], object],
    ) -> None:
        """Start the workers and ask them for their first batches. Raises Lost where that cannot
        be."""
        if numbers and multiprocessing.current_process().daemon:
            raise Lost("cannot be started by a daemonic process")
        context: Any = multiprocessing.get_context(_method())
        for place in range(min(workers, len(numbers))):
            self._pending.append(list(reversed(numbers[place::workers])))
            ours, theirs = socket.socketpair()
            self._lines.append(ours)
            ours.settimeout(SILENT)
            inherited = list(self._lines) if _method() == "fork" else []
            try:
                process = context.Process(
                    target=_work, args=(read, begin, theirs, inherited), daemon=True
                )
                with unheard():
                    process.start()
            except (
                Exception
            ) as error:  # no memory, no process number, what cannot be sent to a new process
                raise Lost(f"could not be started ({first_line(error)})") from error
            finally:
                theirs.close()
            self._processes.append(process)
            for _ in range(AHEAD):
                self._ask(place)

    def take(self, number: int) -> Item:
        """The next batch. Raises Lost where its worker cannot give it."""
        place = self._turn % len(self._lines)
        self._turn += 1
        try:
            self._ask(place)
            return _receive(self._lines[place], number)
        except TimeoutError as error:
            raise Lost(f"gave nothing for {SILENT:g} s") from error
        except OSError as error:
            raise Lost(self._end(place)) from error

    def close(self) -> None:
        """Let the workers leave; kill those that do not."""
        for line in self._lines:
            line.close()
        self._lines = []
        for tell, patience in (
            (lambda process: None, PATIENCE),
            (lambda process: process.terminate(), PATIENCE),
            (lambda process: process.kill(), KILLED),
        ):
            left = [process for process in self._processes if process.is_alive()]
            for process in left:
                tell(process)
            for process in left:
                process.join(patience / len(left))

    def _ask(self, place: int) -> None:
        if self._pending[place]:
            self._lines[place].sendall(WORD.pack(self._pending[place].pop()))

    def _end(self, place: int) -> str:
        """How a worker ended."""
        process = self._processes[place]
        process.join(PATIENCE)
        code = process.exitcode
        if code is None or code >= 0:
            return "has ended"
        name = signal.Signals(-code).name
        return f"was ended by {name}" + (
            ", as where memory runs out" if -code == signal.SIGKILL else ""
        )


def _method() -> str:
    """Forked workers share the rows' memory; where there is no fork they get a copy."""
    return "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"


def _work(
    read: Callable[[int], Item],
    begin: Callable[[], object],
    line: socket.socket,
    inherited: Sequence[socket.socket],
) -> None:
    """The worker's side: answer numbers with batches until the parent hangs up, or is gone."""
    heed_parent()
    for other in inherited:  # the parent's ends: held open here, they would hide that it is gone
        other.close()
    begin()
    try:
        while True:
            number = WORD.unpack(_bytes(line, WORD.size))[0]
            for part in _answer(read, number):
                line.sendall(part)
    except OSError:
        return


def _answer(read: Callable[[int], Item], number: int) -> list[Any]:
    """A batch as bytes: a header in JSON behind its length, then the arrays. An error becomes its
    words."""
    try:
        indices, batch = read(number)
        arrays = {INDICES: indices, **batch}
        plain = [np.require(array, requirements="C") for array in arrays.values()]
        told = [
            (name, _kind(array), array.shape) for name, array in zip(arrays, plain, strict=True)
        ]
        header = json.dumps({"number": number, "arrays": told}).encode()
        contents = [_view(array) for array in plain if array.nbytes]
    except Exception as error:  # the parent reads this batch itself, and meets the error as it is
        said = f"{type(error).__name__}: {first_line(error)}"
        header, contents = json.dumps({"number": number, "error": said}).encode(), []
    return [WORD.pack(len(header)) + header, *contents]


def _kind(array: np.ndarray) -> str:
    if array.dtype.hasobject or np.dtype(array.dtype.str) != array.dtype:
        raise TypeError(f"an array of {array.dtype} cannot be sent")
    return array.dtype.str


def _view(array: np.ndarray) -> memoryview:
    """The bytes of an array that lies in one piece."""
    return array.reshape(-1).view(np.uint8).data


def _receive(line: socket.socket, number: int) -> Item:
    """One answer. Raises Lost, or OSError where the worker is gone."""
    header = json.loads(bytes(_bytes(line, WORD.unpack(_bytes(line, WORD.size))[0])))
    if "error" in header or header["number"] != number:
        raise Lost(f"failed ({header.get('error', 'an answer out of turn')})")
    arrays = {}
    for name, kind, shape in header["arrays"]:
        array = np.empty(shape, np.dtype(kind))
        if array.nbytes:
            _fill(line, _view(array))
        arrays[name] = array
    return arrays.pop(INDICES), arrays


def _bytes(line: socket.socket, count: int) -> bytearray:
    found = bytearray(count)
    _fill(line, memoryview(found))
    return found


def _fill(line: socket.socket, view: memoryview) -> None:
    """Receive until the view is full. Raises ConnectionError where the other side is gone."""
    while len(view):
        count = line.recv_into(view)
        if not count:
            raise ConnectionError("the other side is gone")
        view = view[count:]
