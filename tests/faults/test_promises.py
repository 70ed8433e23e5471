"""docs/reliability.md names every test of this folder, and only tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
PROMISES = PAGE.split("## Promises")[1].split("## How it is tested")[0]


def named_in(path: Path) -> set[str]:
    return set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M))


def test_the_page_names_every_test_of_this_folder_and_no_other() -> None:
    here = set[str]().union(
        *(named_in(path) for path in HERE.glob("test_*.py") if path != Path(__file__))
    )
    elsewhere = set[str]()
    for line in re.findall(r"^- `tests/.*(?:\n  .*)*", PAGE, re.M):
        file, *names = re.findall(r"`([^`]+)`", line)
        assert (ROOT / file).exists(), file
        assert set(names) <= named_in(ROOT / file), file
        elsewhere |= set(names)
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert named - elsewhere == here


def test_every_promise_names_what_tests_it() -> None:
    promises = re.split(r"^\*\*", PROMISES, flags=re.M)[1:]
    assert len(promises) >= 9
    for promise in promises:
        assert re.search(r"^- `test", promise, re.M), promise.split("**")[0]
