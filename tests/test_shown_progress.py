"""What the Python face shows of its verbs: on a terminal, in a notebook, and nowhere else."""

from __future__ import annotations

import builtins
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.live import Live

import multigraft as mg
from helpers.read_html import read_html
from helpers.samples import write_texts
from multigraft.callbacks import Progress
from multigraft.contracts.display import UNSEEN
from multigraft.experiments.cells import Cell
from multigraft.experiments.progress import Update, usual_teller
from multigraft.training.callbacks import notebook_screen
from multigraft.training.callbacks.progress import usual_progress
from system.test_notebook import watch


def recipe(folder: Path) -> dict[str, Any]:
    return {
        "task": "text-classification",
        "backbone": "bert-tiny",
        "data": {"train": str(write_texts(folder, 40)), "leakage": {"near": False}},
        "training": {"steps": 2, "batch_size": 8},
        "evaluation": {"bootstrap": 5},
        "export": {"precisions": ["fp32", "int8"], "rows": 4, "budget": 100},
        "output": str(folder / "run"),
    }


class Screen:
    """A terminal as standard error, and what was written on it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pty = pytest.importorskip("pty")
        self._reading, writing = pty.openpty()
        os.set_blocking(self._reading, False)
        self._patch = monkeypatch
        self.stream = os.fdopen(writing, "w", encoding="utf-8", buffering=1)
        for name in ("NO_COLOR", "TERM", "RANK", "COLUMNS"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TERM", "xterm")

    @contextmanager
    def shown(self) -> Iterator[list[str]]:
        """What is written while a block runs."""
        said: list[str] = []
        with self._patch.context() as patch:
            patch.setattr(sys, "stderr", _Drained(self.stream, self._take, said))
            yield said
        said.append(self._take())

    def _take(self) -> str:
        found = b""
        try:
            while part := os.read(self._reading, 65536):
                found += part
        except BlockingIOError:
            pass
        return found.decode()


class _Drained(io.TextIOBase):
    """Reads what the terminal shows as it is written, as its buffer is small."""

    def __init__(self, stream: Any, take: Any, said: list[str]) -> None:
        self._stream, self._take, self._said = stream, take, said

    def write(self, text: str) -> int:
        for at in range(0, len(text), 1000):
            self._stream.write(text[at : at + 1000])
            self._stream.flush()
            self._said.append(self._take())
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return int(self._stream.fileno())

    def isatty(self) -> bool:
        return bool(self._stream.isatty())


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    return Screen(monkeypatch)


def test_a_terminal_shows_every_verb_and_quiet_none(tmp_path: Path, screen: Screen) -> None:
    with screen.shown() as said:
        run = mg.finetune(recipe(tmp_path))
    assert "2/2" in "".join(said) and "epoch 1" in "".join(said)
    with screen.shown() as said:
        run.evaluate()
    rows = len(run.rows["test"])
    assert "evaluating on test" in "".join(said) and f"{rows}/{rows}" in "".join(said)
    assert "".join(said).rstrip().endswith("\x1b[?25h"), "the cursor is given back"
    with screen.shown() as said:
        run.export()
    shown = "".join(said)
    stages = ("making fp32", "judging fp32", "making int8", "judging int8", "timing")
    places = [shown.find(stage) for stage in stages]
    assert -1 not in places and places == sorted(places)
    with screen.shown() as said:
        assert run.evaluate(quiet=True).metrics
        assert mg.open_run(run.folder, quiet=True).evaluate().metrics
        again = {**recipe(tmp_path), "output": str(tmp_path / "again")}
        assert mg.finetune(again, quiet=True).evaluate().metrics
    assert "".join(said) == ""
    with screen.shown() as said:
        mg.open_run(run.folder).evaluate()
    assert "evaluating on test" in "".join(said)


def test_a_pipe_and_another_rank_show_nothing(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as in many a build: no terminal still
    assert usual_progress() is None
    with screen.shown():
        assert isinstance(usual_progress(), Progress)
        monkeypatch.setenv("RANK", "1")
        assert usual_progress() is None


def test_a_progress_of_one_s_own_takes_the_place_of_the_usual_one(
    tmp_path: Path, screen: Screen
) -> None:
    stream = io.StringIO()
    with screen.shown() as said, Progress(Console(file=stream)) as own:
        run = mg.finetune(recipe(tmp_path), plugins=[own])
    assert "".join(said) == "" and stream.getvalue().startswith("epoch 1")
    assert run.display is UNSEEN


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """A notebook's kernel, as rich knows one; gives what it shows."""
    shell = type("ZMQInteractiveShell", (), {})
    monkeypatch.setattr(builtins, "get_ipython", shell, raising=False)
    monkeypatch.delenv("RANK", raising=False)
    return watch(monkeypatch)


def test_a_notebook_shows_each_verb_in_one_output(
    tmp_path: Path, kernel: list[tuple[str, dict[str, str]]], capfd: pytest.CaptureFixture[str]
) -> None:
    run = mg.finetune(recipe(tmp_path))
    assert [kind for kind, _ in kernel].count("display") == 1
    tags, said = read_html(kernel[-1][1]["text/html"])
    assert {"epoch", "loss", "validation accuracy", "2/2"} <= set(said)
    assert "progress" not in tags, "a bar that is done makes room"
    assert "training, 2 steps, " in said[-1]
    assert any("<progress" in shown["text/html"] for _, shown in kernel)
    kernel.clear()
    run.export()
    assert [kind for kind, _ in kernel].count("display") == 1
    last = kernel[-1][1]["text/html"]
    assert all(stage in last for stage in ("making fp32", "judging int8", "timing"))
    kernel.clear()
    run.evaluate(quiet=True)
    assert kernel == []
    assert capfd.readouterr().err == ""


def test_the_bar_of_a_notebook_moves_now_and_then(
    kernel: list[tuple[str, dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(notebook_screen.time, "monotonic", lambda: now[0])
    with usual_progress() or pytest.fail("nothing is shown") as progress:
        progress.begin("judging <int8>", 100)
        for _ in range(50):
            now[0] += 0.01
            progress.advance(1)
        texts = [shown["text/plain"] for _, shown in kernel]
        assert texts == ["judging <int8>  0/100"] + [
            f"judging <int8>  {done}/100  {left} left"
            for done, left in ((25, "750 ms"), (50, "500 ms"))
        ]
        assert 'value="50" max="100"' in kernel[-1][1]["text/html"]
        assert "&lt;int8&gt;" in kernel[-1][1]["text/html"]
    assert kernel[-1][1]["text/plain"] == "judging <int8>, 50 rows, 500 ms"


def test_an_experiment_shows_its_cells_in_one_output(
    kernel: list[tuple[str, dict[str, str]]], tmp_path: Path
) -> None:
    cell = Cell("a-0", varied={}, seed=0)
    tell = usual_teller()
    assert tell is not None
    for done in (1, 2):
        tell(
            Update(
                cell=cell,
                record=None,
                unrecorded="no space",
                done=done,
                left=2 - done,
                seconds=4.0,
                metric=None,
                folder=tmp_path,
            )
        )
    assert [kind for kind, _ in kernel] == ["display", "update"]
    _, said = read_html(kernel[-1][1]["text/html"])
    assert said == ["cell", *["a-0", "failed: no space"] * 2, "2 of 2 cells"]


def test_where_nothing_moves_a_stage_is_a_line() -> None:
    stream = io.StringIO()
    with Progress(Console(file=stream, width=40)) as progress:
        progress.begin("judging [int8]", 1200)
        progress.advance(1200)
        progress.begin("timing")
    assert stream.getvalue() == "judging [int8]: 1,200 rows\ntiming\n"


def test_a_bar_of_the_caller_s_own_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), force_terminal=True)

    def taken(live: Live, refresh: bool = False) -> None:
        from rich.errors import LiveError

        raise LiveError("Only one live display may be active at once")

    monkeypatch.setattr(Live, "start", taken)
    with Progress(console) as progress:
        progress.begin("timing", 3)
        progress.advance(3)
