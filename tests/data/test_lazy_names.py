"""Names that a package gives when they are first used: none is a module of the package, which
would hide it once that module is imported."""

from __future__ import annotations

import pkgutil
from types import ModuleType

import pytest

import multigraft
import multigraft.data


@pytest.mark.parametrize("package", [multigraft, multigraft.data])
def test_no_module_hides_a_name(package: ModuleType) -> None:
    modules = {found.name for found in pkgutil.iter_modules(package.__path__)}
    assert modules.isdisjoint(package.__all__)
    assert all(getattr(package, name) is not None for name in package.__all__)
