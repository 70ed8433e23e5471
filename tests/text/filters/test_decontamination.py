"""Decontamination: runs of words that stand in a test set too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from multigraft.contracts.filters import Dropped
from multigraft.contracts.options import defaults
from multigraft.errors import DataError
from multigraft.plugins.catalog import Catalog
from multigraft_text.filters.decontamination import FOUND

WORDS = [f"word{number}" for number in range(40)]


def judge(folder: Path, tests: list[str], **options: Any) -> Any:
    path = folder / "test.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in tests))
    record = Catalog().filter("decontaminate")
    assert record.judge is not None
    return record.judge({**defaults(record.options), "against": [str(path)], **options})


def test_thirteen_words_in_a_row_are_enough(tmp_path: Path) -> None:
    judged = judge(tmp_path, [" ".join(WORDS)])
    inside = f"before {' '.join(WORDS[5:18])} behind"
    assert judged(inside) == FOUND
    assert judged(inside.upper().replace(" ", ",  ")) == FOUND
    less = f"before {' '.join(WORDS[5:17])} behind"
    assert judged(less) == less
    assert judge(tmp_path, [" ".join(WORDS)], words=12)(less) == FOUND


def test_a_short_test_is_looked_for_whole(tmp_path: Path) -> None:
    judged = judge(tmp_path, [" ".join(WORDS[:8]), "of seven words that are not looked"])
    assert judged(f"a {' '.join(WORDS[:8])} z") == FOUND
    assert not isinstance(judged(" ".join(WORDS[:7])), Dropped)
    assert not isinstance(judged("of seven words that are not looked for"), Dropped)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no column 'body'; set test_column"):
        judge(tmp_path, ["a"], test_column="body")
    with pytest.raises(DataError, match="names no test set"):
        judge(tmp_path, ["a"], against=None)
