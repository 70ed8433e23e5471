from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import multigraft_text as text
from helpers.text_toys import Grown, grow, origin
from multigraft.contracts.records import Backbone
from multigraft_text.reader import TextReader


@pytest.fixture(scope="session")
def bert() -> Grown:
    return grow(text.BERT)


@pytest.fixture(scope="session")
def gpt() -> Grown:
    return grow(text.GPT)


@pytest.fixture(params=["bert", "gpt"])
def grown(request: pytest.FixtureRequest) -> Grown:
    found: Grown = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def reopen(tmp_path: Path) -> Callable[..., Grown]:
    """Build a backbone again from a folder of weights."""

    def open_folder(family: Backbone, folder: Path) -> Grown:
        where = origin(family, path=folder)
        spec = family.reader(where, {})
        return Grown(family, spec, TextReader(spec), family.build(where, spec).eval())

    return open_folder
