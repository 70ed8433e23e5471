"""Faults in how a plugin enters: as objects, and as the source of a module that another process
imports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import multigraft as mg
from conformance.faults.good import Plugin


class Misspelt(Plugin):
    @mg.hookimpl
    def register_backbone(self) -> list[mg.Backbone]:
        return []


class Unmarked(Plugin):
    def register_strategies(self) -> list[mg.Strategy]:
        return []


class Missed(Plugin):
    def register_task(self) -> list[mg.Task]:
        return []


class WithDefault(Plugin):
    @mg.hookimpl
    def step_end(self, step: int = 0) -> None:
        """Never told a step."""


class GivesClass(Plugin):
    @mg.hookimpl
    def register_strategies(self) -> Sequence[Any]:
        return [mg.Strategy]


class Uneven(Plugin):
    @mg.hookimpl
    def register_formats(self) -> list[mg.Format]:
        parsed = mg.Parsed({"readings": [[1.0]], "label": []})
        return [mg.Format(name="uneven", endings=(), read=lambda path, layout: parsed)]


class Explains(Plugin):
    """Brings a way to explain."""

    def __init__(self, explain: Any) -> None:
        super().__init__()
        object.__setattr__(self, "explain", explain)

    @mg.hookimpl
    def register_explainers(self) -> list[mg.Explainer]:
        return [mg.Explainer(name="odd", explain=self.explain, help="odd")]


class Judging(Plugin):
    """Brings one filter, as it is given."""

    def __init__(self, judge: Any, **fields: Any) -> None:
        super().__init__()
        told = {"help": "Drop it.", "source": "own", "keeps": lambda: "a", "drops": lambda: "b"}
        self.filter = mg.Filter(name="odd", judge=judge, **{**told, **fields})

    @mg.hookimpl
    def register_filters(self) -> list[mg.Filter]:
        return [self.filter]


def drops_b(options: Any) -> Any:
    return lambda value: mg.Dropped("b") if value == "b" else value


def keeps_all(options: Any) -> Any:
    return lambda value: value


def counts(options: Any) -> Any:
    return lambda value: mg.Dropped("b", 2) if value == "b" else value


def once(options: Any) -> Any:
    known: list[Any] = []

    def judge(value: Any) -> Any:
        known.append(value)
        return mg.Dropped("again") if known.count(value) > 1 or value == "b" else value

    return judge


def strict(options: Any) -> Any:
    return lambda value: value.strip() if value != "b" else mg.Dropped("b")


def signed(options: Any, modality: Any) -> mg.Likeness:
    return mg.Likeness(
        sketch=lambda raws: (np.ones((len(raws), 2), np.int64), np.zeros(len(raws), np.uint8)),
        near=1.0,
    )


HEAD = """
import multigraft as mg

@mg.hookimpl
def register_strategies():
    return [mg.Strategy(name="still", plan=lambda plan, options: plan)]
"""

TORCH_AT_IMPORT = "import torch\n" + HEAD
SLOW_IMPORT = "import time\ntime.sleep(0.1)\n" + HEAD
NETWORK_AT_IMPORT = (
    """
import socket
try:
    socket.create_connection(("127.0.0.1", 9), timeout=0.1)
except OSError:
    pass
"""
    + HEAD
)
SEEDS_AT_IMPORT = "import random\nrandom.seed(0)\n" + HEAD
ENVIRONMENT_AT_IMPORT = 'import os\nos.environ["FAULTY"] = str(os.getpid())\n' + HEAD

MODALITY = """
import numpy as np
import multigraft as mg

class Reader:
    fills = {}
    def __init__(self, spec):
        self.settings = spec
    def read(self, raw):
        %s
        return {"value": np.array([float(raw)], np.float32)}
    def length(self, row):
        return 1
    def spec(self):
        return self.settings

def good(rng, count, folder):
    return [str(index) for index in range(count)]

@mg.hookimpl
def register_modalities():
    samples = mg.Samples(good=good, bad=lambda folder: ["x"])
    return [mg.Modality(name="single", reader=Reader, columns=("single",), samples=samples)]
"""
TORCH_IN_READER = MODALITY % "import torch"
NETWORK_IN_READER = MODALITY % "import socket; socket.getaddrinfo('example.invalid', 80)"
TORCH_IN_ANSWERS = """
import multigraft as mg

@mg.hookimpl
def register_tasks():
    objective = mg.Lazy("multigraft.models.tasks.classification:Classification")
    answers = mg.Lazy("multigraft.models.tasks.classification:LinearHead")
    late = mg.Task(
        name="late", stage="finetune", modalities=("text",), objective=objective, answers=answers
    )
    return [late]
"""
