"""Each case is a module that measures something, and a line of the benchmarks' page."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from benchmarks.__main__ import MODULES
from benchmarks.results import README

FOLDER = Path(__file__).parents[2] / "benchmarks" / "cases"


def test_every_module_is_measured() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} - {"__init__"} == set(MODULES)


def test_the_page_asks_the_question_of_each() -> None:
    listed = re.findall(r"^\| \[(\w+)\]\(cases/\1\.py\) \| .+ \|$", README.read_text(), re.M)
    assert listed == list(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_gives_cases(name: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.cases.{name}").cases)
