"""Decontamination: runs of words that stand in a test set too."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
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


def said(found: Any) -> str:
    assert isinstance(found, Dropped)
    return found.why


def test_thirteen_words_in_a_row_are_enough(tmp_path: Path) -> None:
    judged = judge(tmp_path, [" ".join(WORDS)])
    inside = f"before {' '.join(WORDS[5:18])} behind"
    assert said(judged(inside)) == FOUND
    assert said(judged(inside.upper().replace(" ", ",  "))) == FOUND
    assert judged(inside).told == f"{FOUND}: {' '.join(WORDS[5:18])}"
    less = f"before {' '.join(WORDS[5:17])} behind"
    assert judged(less) == less
    assert said(judge(tmp_path, [" ".join(WORDS)], words=12)(less)) == FOUND


def test_a_short_test_is_looked_for_whole(tmp_path: Path) -> None:
    judged = judge(tmp_path, [" ".join(WORDS[:8]), "of seven words that are not looked"])
    assert said(judged(f"a {' '.join(WORDS[:8])} z")) == FOUND
    assert not isinstance(judged(" ".join(WORDS[:7])), Dropped)
    assert not isinstance(judged("of seven words that are not looked for"), Dropped)


def test_texts_without_blanks_and_with_vowel_signs(tmp_path: Path) -> None:
    """Of Chinese and Japanese two signs count as a word; a sign of a vowel parts no word."""
    test = "这是一个关于机器学习的测试句子用来检查训练数据是否被污染"
    judged = judge(tmp_path, [test])
    assert said(judged(f"前面的文字，{test[:26]}。后面")) == FOUND
    assert not isinstance(judged(f"前面的文字，{test[:25]}。后面"), Dropped)
    hindi = " ".join(["काम", "दिल", "की", "है"] * 3)
    assert said(judge(tmp_path, [hindi])(f"a {hindi} z")) == FOUND
    bare = re.sub("[\u093e-\u094d]", "", hindi)
    assert not isinstance(judge(tmp_path, [hindi])(f"a {bare} z"), Dropped)


def test_tests_that_are_not_looked_for_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of 2 tests has 8 words.* lower shortest"):
        judge(tmp_path, ["too short", "ที่นี่ไม่มีช่องว่างระหว่างคำเลยสักแห่งเดียว"])
    judge(tmp_path, ["too short", " ".join(WORDS[:8])])
    steps = [{"name": "decontaminate", "against": str(tmp_path / "test.jsonl")}]
    made = mg.prepare(
        source=tmp_path / "test.jsonl",
        steps=steps,
        output=tmp_path / "out",
        workers=1,
        quiet=True,
    )
    assert made.manifest["notes"][0].startswith(
        "decontaminate: 1 of 2 tests have fewer than 8 words, and are not looked for"
    )


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no column 'body'; set test_column"):
        judge(tmp_path, ["a"], test_column="body")
    with pytest.raises(DataError, match="names no test set"):
        judge(tmp_path, ["a"], against=None)
