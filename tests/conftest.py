from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leftovers import end_leftovers
from multigraft.system.libraries import switch_off_reports


def pytest_configure() -> None:
    """Switch reports off before a test module imports onnxruntime; what we do ourselves is tried in processes
    that begin without (security/watched.py)."""
    switch_off_reports()


@pytest.fixture(autouse=True, scope="session")
def no_process_is_left() -> Iterator[None]:
    """Whoever starts a process ends it, also where the test fails; torn down after every other fixture."""
    yield
    left = end_leftovers()
    assert not left, f"tests left these processes at work: {left}"


@pytest.fixture(autouse=True, scope="session")
def no_real_cache(no_process_is_left: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a fixture of a longer life than a test writes stays out of the person's cache too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MULTIGRAFT_CACHE", str(tmp_path_factory.mktemp("shared-cache")))
        yield


@pytest.fixture(autouse=True)
def cache_folder(
    no_real_cache: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A machine cache of each test's own, which the processes it starts share."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("MULTIGRAFT_CACHE", str(folder))
    return folder
