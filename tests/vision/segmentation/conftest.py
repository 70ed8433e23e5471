"""One trained segmentation with its bundle, shared by all tests of a room."""

from __future__ import annotations

from typing import Any

import pytest

import multigraft_vision
from helpers.scene_recipe import recipe
from multigraft.engine import Engine


@pytest.fixture(scope="package")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("scenes")
    engine = Engine([multigraft_vision], discover=False, strict=True)
    run = engine.start(recipe(folder), "finetune")
    run.export()
    return run
