"""Whether the contracts of multigraft are kept; what is not is told with what to do about it."""

from __future__ import annotations

from multigraft.testing import check_plugin


def test_the_contracts_are_kept() -> None:
    check_plugin("sapling")
