"""A server under 32 clients: batches made of their requests, against the same server, one row at a
time.

Ours: ``multigraft serve`` at its defaults. Other: the same with ``--max-batch 1``. Each is a
process of its own and serves a BERT of 6 x 384 (`predict_text`) or of 2 x 64
(``bert-tiny``) in fp32. 32 threads of this process keep a connection each and ask for one text
after another, of `benchmarks.texts` lengths, one in fifty unreadable (empty). rows/s are the
readable texts answered in a turn; any other status than 200, or 422 for what is unreadable, fails
the case. The notes hold the 50th and 99th percentile of a request's time as its client sees it.
"""

from __future__ import annotations

import http.client
import itertools
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import texts
from benchmarks.cases.predict_text import at_random
from benchmarks.harness import Case, Mode, Sample, Side, Turn, at_least

SECONDS = {"full": 60.0, "quick": 5.0, "smoke": 2.0}
ROUNDS = {"full": 2, "quick": 1, "smoke": 1}
WARM_SECONDS = 1.0
CLIENTS = 32
ROWS = 500
EVERY_BAD = 50


def cases(mode: Mode, desk: Path) -> list[Case]:
    """Batches against single rows, of a network that hardly computes and, unless quick, of one that
    does."""
    found = texts.corpus(desk / "texts", rows=texts.WARM_ROWS, test=ROWS)
    asked = [text for text, _ in texts.read_rows(found.test)]
    asked[::EVERY_BAD] = [" "] * len(asked[::EVERY_BAD])
    bundles = {"2x64": _tiny(found, desk / "tiny")}
    if mode != "quick":
        bundles["6x384"] = at_random(desk / "large", texts.WARM_ROWS).bundle
    return [_case(size, bundle, asked, mode) for size, bundle in bundles.items()]


def _tiny(found: texts.Corpus, desk: Path) -> Path:
    import multigraft as mg

    data = {"train": str(found.train), "validation": str(found.test)}
    run = mg.finetune(
        task="text-classification",
        backbone="bert-tiny",
        data=data,
        training={"epochs": 1},
        export={"precisions": ["fp32"]},
        output=str(desk),
    )
    return Path(run.export().files["bundle"])


def _case(size: str, bundle: Path, asked: Sequence[str], mode: Mode) -> Case:
    def side(*options: str) -> Side:
        def take(turn: Turn) -> Sample:
            with _server(bundle, options, turn.folder) as port:
                return _load(port, asked, WARM_SECONDS if turn.warm else SECONDS[mode])

        return take

    return Case(
        name=f"serve_{size}",
        work=f"{size} BERT answers {CLIENTS} clients over HTTP for {SECONDS[mode]:g} s, fp32",
        other="the same server, one row at a time",
        unit="rows/s",
        ours=side(),
        theirs=side("--max-batch", "1"),
        rounds=ROUNDS[mode],
        bar=at_least(2),
        settings={
            "clients": CLIENTS,
            "seconds": SECONDS[mode],
            "texts": ROWS,
            "unreadable": EVERY_BAD,
        },
    )


@dataclass
class _Client:
    """What one client saw."""

    seconds: list[float]
    answered: int = 0


@contextmanager
def _server(bundle: Path, options: Sequence[str], folder: Path) -> Iterator[int]:
    """A server on a free port, ready; told to stop at the end, which must go well."""
    command = [
        "-m",
        "multigraft.cli",
        "serve",
        str(bundle),
        "--port",
        "0",
        "--precision",
        "fp32",
        *options,
    ]
    log = folder / "server.log"
    with log.open("w") as errors:
        process = subprocess.Popen([sys.executable, *command], stderr=errors)
        try:
            yield _port(log, process)
        finally:
            process.terminate()
            code = process.wait(60)
    if code:
        raise RuntimeError(f"the server ended with {code}: {log.read_text()}")


def _port(log: Path, process: subprocess.Popen[bytes]) -> int:
    while process.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())
        if found and _ready(int(found[1])):
            return int(found[1])
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {log.read_text()}")


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except ConnectionError:
        return False
    finally:
        connection.close()


def _load(port: int, asked: Sequence[str], seconds: float) -> Sample:
    begin = threading.Barrier(CLIENTS)

    def client(place: int) -> _Client:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        seen = _Client([])
        begin.wait()
        deadline = time.perf_counter() + seconds
        for text in itertools.cycle([*asked[place:], *asked[:place]]):
            started = time.perf_counter()
            if started >= deadline:
                break
            seen.answered += _ask(connection, text)
            seen.seconds.append(time.perf_counter() - started)
        connection.close()
        return seen

    with ThreadPoolExecutor(CLIENTS) as pool:
        started = time.perf_counter()
        seen = list(pool.map(client, range(CLIENTS)))
        took = time.perf_counter() - started
    times = np.concatenate([each.seconds for each in seen])
    p50, p99 = 1000 * np.percentile(times, [50, 99])
    return Sample(
        sum(each.answered for each in seen) / took,
        facts={"p50 ms": p50, "p99 ms": p99, "errors": 0.0},
    )


def _ask(connection: http.client.HTTPConnection, text: str) -> int:
    """How many rows were answered: one, or none for an unreadable text. Raises where the server is
    wrong."""
    body = json.dumps({"inputs": text})
    connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    readable = bool(text.strip())
    if response.status != (200 if readable else 422):
        raise RuntimeError(f"the server answered {response.status} to {text!r}: {content!r}")
    return int(readable)
