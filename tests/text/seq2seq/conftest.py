from __future__ import annotations

from pathlib import Path

import pytest

import multigraft as mg
from helpers.seq2seq_runs import FAMILIES, made_texts, rows_of, stir, trained


@pytest.fixture(scope="session", params=FAMILIES)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    """A run of each family with random weights, exported; it writes with two beams."""
    folder = tmp_path_factory.mktemp(request.param)
    found = trained(folder, request.param, rows_of(made_texts(60, seed=0)), task={"beams": 2})
    stir(found.graft)
    found.export()
    return found


@pytest.fixture
def bundle(run: mg.Run) -> Path:
    return run.folder / "bundle"
