"""The page on testing lists the checks and the faults that there are."""

from __future__ import annotations

import re
from pathlib import Path

from conformance.faults.table import FAULTS
from conformance.tables import checks_table, faults_table
from multigraft.testing.table import CHECKS

PAGE = Path(__file__).parents[2] / "docs" / "plugins" / "testing.md"


def table(name: str) -> str:
    found = re.search(
        rf"<!-- table: {name} -->\n(.*?)\n<!-- end -->", PAGE.read_text(encoding="utf-8"), re.S
    )
    assert found
    return found[1]


def test_the_page_has_every_check() -> None:
    assert table("checks") == checks_table()


def test_the_page_has_every_fault() -> None:
    assert table("faults") == faults_table()


def test_names_are_told_apart() -> None:
    names = [(check.of, check.name) for check in CHECKS]
    assert len(names) == len(set(names))
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_every_check_is_seen_to_fail() -> None:
    assert {fault.check for fault in FAULTS} == {check.name for check in CHECKS}
