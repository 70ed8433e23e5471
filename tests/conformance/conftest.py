"""Each plugin on a bench of its own, shared by all of its checks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

import helpers.greys
import multigraft_series
from multigraft.testing import Examination

PLUGINS: dict[str, object] = {
    "text": "text",
    "vision": "vision",
    "speech": "speech",
    "table": "table",
    "series": multigraft_series,
    "greys": helpers.greys,
}


class Benches:
    """One examination for each plugin, begun when it is first asked for."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._begun: dict[str, Examination] = {}

    def __getitem__(self, name: str) -> Examination:
        if name not in self._begun:
            self.close()  # tests come plugin by plugin, and a bench holds networks
            self._begun = {name: self._stack.enter_context(Examination(PLUGINS[name]))}
        return self._begun[name]

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="session")
def benches() -> Iterator[Benches]:
    made = Benches()
    yield made
    made.close()
