"""A server as a process: what it says at its start, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from helpers import toy_server
from helpers.toy_runs import exported
from helpers.toy_server import SECRET, wait_until

START = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "timm", "datasets", "onnx"}:
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Absent())
from pathlib import Path
import multigraft as mg
from helpers import toy_plugin
from multigraft.cli import main
from multigraft.runtime.serving import server

catalog = mg.Catalog([toy_plugin], discover=False)
slow = toy_plugin.NumbersReader.read

def read(self, raw):
    import time
    if raw.startswith("slow"):
        time.sleep(1)
        raw = raw.removeprefix("slow ")
    return slow(self, raw)

toy_plugin.NumbersReader.read = read
load = server.open_models
server.open_models = lambda *given, **more: load(*given, **more, catalog=catalog)
sys.exit(main(["serve", *sys.argv[1:]]))
"""


class Process:
    """A server process, and the lines of its log."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, *arguments],
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(toy_server.__file__).parents[1],
            env={**os.environ, **environment, "OMP_NUM_THREADS": "1"},
        )
        self.lines: list[str] = []
        self.reading = threading.Thread(target=self._read)
        self.reading.start()

    def _read(self) -> None:
        assert self.process.stderr
        self.lines += []
        for line in self.process.stderr:
            self.lines.append(line)

    @property
    def said(self) -> str:
        return "".join(self.lines)

    def url(self) -> str:
        wait_until(
            lambda: re.search(r"http://\S+", self.said) or self.process.poll() is not None,
            seconds=60,
        )
        found = re.search(r"http://\S+", self.said)
        assert found, self.said
        return found[0]

    def end(self) -> int:
        code = self.process.wait(30)
        self.reading.join(10)
        return code


@contextmanager
def started(*arguments: str, **environment: str) -> Iterator[Process]:
    own = Process(*arguments, **environment)
    try:
        yield own
    finally:
        own.process.kill()
        own.end()


@pytest.fixture(scope="module")
def bundle() -> str:
    return f"toys={exported('numbers')[0].folder}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_under_way_is_finished(bundle: str, number: signal.Signals) -> None:
    with started(bundle, "--port", "0") as own:
        url = own.url()
        wait_until(lambda: httpx2.get(f"{url}/readyz", trust_env=False).status_code == 200)
        with ThreadPoolExecutor(6) as pool:
            asked = [
                pool.submit(
                    httpx2.post, f"{url}/predict", json={"inputs": f"slow {n}"}, trust_env=False
                )
                for n in range(6)
            ]
            wait_until(lambda: 'multigraft_queue_rows{model="toys"} 6.0' in _metrics(url))
            own.process.send_signal(number)
            answers = [each.result() for each in asked]
        assert [answer.status_code for answer in answers] == [200] * 6
        assert own.end() == 0, own.said
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"{url}/healthz", trust_env=False)
        assert "Traceback" not in own.said


def _metrics(url: str) -> str:
    return httpx2.get(f"{url}/metrics", trust_env=False).text


def test_what_does_not_end_in_time_is_told_so(bundle: str) -> None:
    with started(bundle, "--port", "0", "--drain", "1") as own:
        url = own.url()
        with ThreadPoolExecutor(1) as pool:
            inputs = ["slow 1"] * 20
            asked = pool.submit(
                httpx2.post, f"{url}/predict", json={"inputs": inputs}, trust_env=False, timeout=30
            )
            wait_until(lambda: 'multigraft_queue_rows{model="toys"} 20.0' in _metrics(url))
            began = time.monotonic()
            own.process.send_signal(signal.SIGTERM)
            answer = asked.result()
        assert (answer.status_code, answer.json()["error"]) == (503, "the server is stopping")
        assert own.end() == 0, own.said
        assert time.monotonic() - began < 10


def test_neither_bodies_nor_tokens_are_logged(bundle: str) -> None:
    with started(bundle, "--port", "0", MULTIGRAFT_TOKEN=SECRET) as own:
        url = own.url()
        header = {"authorization": f"Bearer {SECRET}"}
        for sent in ("918 456", "unreadable words"):
            httpx2.post(f"{url}/predict", json={"inputs": sent}, headers=header, trust_env=False)
        httpx2.get(f"{url}/a%0Ab?{SECRET}", trust_env=False)
        own.process.send_signal(signal.SIGTERM)
        assert own.end() == 0
        assert re.search(r"POST /predict 200 \d+\.\d ms\n", own.said), own.said
        assert "GET /a%0Ab 401 " in own.said
        for secret in (SECRET, "918 456", "unreadable"):
            assert secret not in own.said


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["--host", "0.0.0.0"], {}, "no token is set"),
        (["--token-file", "nowhere"], {}, "token file nowhere cannot be read: No such file"),
        ([], {"MULTIGRAFT_TOKEN": "short"}, "at least 16"),
        (["--queue", "3"], {}, "could never be taken"),
        (["other=elsewhere"], {}, "is not a bundle"),
        (["toys=elsewhere"], {}, "two bundles are named 'toys'"),
    ],
)
def test_what_cannot_start_says_why(
    bundle: str, arguments: list[str], environment: dict[str, str], said: str
) -> None:
    with started(bundle, "--port", "0", *arguments, **environment) as own:
        assert own.end() == 1
        assert said in own.said
        assert "Traceback" not in own.said
