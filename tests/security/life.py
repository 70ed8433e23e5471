"""A model's life in commands, from rows to answers: ``python life.py MODALITY FOLDER [--apart
SECONDS]``.

All but the server in this process, which is quick; with ``--apart`` each in a process of its own,
with every tracker, and a server that stands for that long.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from helpers.samples import TINY, WRITERS
from multigraft.cli import main
from multigraft.runtime.web import site

COMMAND = [sys.executable, "-m", "multigraft.cli"]
SMALL = "--epochs 1 --batch-size 8 --set evaluation.bootstrap=0".split()
TEXTS = "--set reader.max_length=16 --set reader.vocabulary=60".split()
QUICK = "--set export.precisions=[fp32]".split()
ALL = "--set export.precisions=[fp32,int8,fp16] --set track=[csv,tensorboard,mlflow]".split()


def live(modality: str, folder: Path, seconds: float | None) -> None:
    """Every command that a person gives on the way from rows to answers."""
    data = WRITERS[modality](folder / "data", 24)
    run, bundle = folder / "run", folder / "run" / "bundle"
    value = "a great day" if modality == "text" else str(next(data.rglob("*.*")))
    task = [
        "--task",
        f"{modality}-classification",
        "--backbone",
        TINY[modality],
        "--weights",
        "scratch",
    ]
    asked = [
        *task,
        *SMALL,
        *(TEXTS if modality == "text" else []),
        *(QUICK if seconds is None else ALL),
    ]
    give = _alone if seconds is not None else _here
    give(["finetune", *asked, "--data", str(data), "--out", str(run)])
    give(["evaluate", str(run)])
    give(["export", str(run)])
    give(["predict", str(bundle), value])
    give(["doctor"])
    # packages are npm's; their own tests have them
    with mock.patch.object(site, "unpack", _no_package):
        _here(["web", str(bundle), "--into", str(folder / "site")])
    _serve(bundle, value if modality == "text" else None, seconds or 0.0)


def _here(arguments: Sequence[str]) -> None:
    code = main(arguments)
    assert code == 0, f"{arguments} ended with {code}"


def _alone(arguments: Sequence[str]) -> None:
    subprocess.run([*COMMAND, *arguments], check=True)


def _no_package(package: Any, target: Path, **_: Any) -> None:
    target.mkdir(parents=True)


def _serve(bundle: Path, value: str | None, seconds: float) -> None:
    """Serve, ask for an answer where it is a text, and stop after a while."""
    asked = [*COMMAND, "serve", str(bundle), "--port", "0"]
    with subprocess.Popen(asked, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        try:
            address = next(
                found[0] for line in server.stderr if (found := re.search(r"http://\S+", line))
            )
            body = None if value is None else json.dumps({"inputs": value}).encode()
            path = "/models" if body is None else "/predict"
            request = urllib.request.Request(
                address + path, body, {"content-type": "application/json"}
            )
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                request
            ) as answer:
                assert answer.status == 200
            time.sleep(seconds)
        finally:
            server.terminate()
            server.communicate()  # it has more to say
    assert server.returncode == 0, server.returncode


if __name__ == "__main__":
    name, place, *more = sys.argv[1:]
    live(name, Path(place), float(more[1]) if more else None)
