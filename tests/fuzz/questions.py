"""Questions of a passage: SQuAD files broken, answers that stand elsewhere, and rows of junk."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st

from fuzz import texts
from fuzz.breaking import INTS, JUNK, TEXTS, broken_bytes, broken_values
from fuzz.harness import Border, WrongAnswer
from multigraft import Brief
from multigraft.contracts.formats import PLAIN
from multigraft.contracts.readers import all_windows, read_row
from multigraft.contracts.types import Arrays
from multigraft.errors import RowError
from multigraft_text.question_answering.extraction import QuestionAnswering
from multigraft_text.question_answering.rows import question_rows
from multigraft_text.question_answering.squad_files import read_squad
from multigraft_text.reader import TextReader

PASSAGE = f"{texts.PLAIN}. It was seen in Rome and in Oslo, and again in Rome."
ANSWER = {"text": "Rome", "answer_start": PASSAGE.index("Rome")}
ASKED = [
    {"id": "a", "question": "Where?", "is_impossible": False, "answers": [ANSWER]},
    {"id": "b", "question": "When?", "is_impossible": True, "answers": []},
]
SQUAD = {"data": [{"title": "films", "paragraphs": [{"context": PASSAGE, "qas": ASKED}]}]}
ROW = {"question": "Where?", "passage": PASSAGE, "answers": [ANSWER]}
PLACED = st.fixed_dictionaries(
    {"text": st.one_of(st.sampled_from(["Rome", " Rome ", "", "é"]), TEXTS, JUNK)},
    optional={"start": st.one_of(INTS, JUNK), "answer_start": st.one_of(INTS, JUNK)},
)
LISTS = st.fixed_dictionaries(
    {"text": st.lists(TEXTS, max_size=2), "answer_start": st.lists(INTS, max_size=2)}
)
CELLS = st.one_of(st.lists(st.one_of(PLACED, JUNK), max_size=3), PLACED, LISTS, JUNK)
ROWS = st.one_of(
    broken_values(ROW),
    st.fixed_dictionaries({**{name: st.just(ROW[name]) for name in ROW}, "answers": CELLS}),
    st.builds(lambda cell: {**ROW, "answers": json.dumps(cell)}, CELLS),
    st.fixed_dictionaries({"question": TEXTS, "passage": TEXTS, "answers": CELLS}),
    st.dictionaries(st.sampled_from([*ROW, "text", "context", "text_pair"]), JUNK),
)
FILES = st.one_of(
    broken_bytes(st.just(json.dumps(SQUAD, ensure_ascii=False).encode())),
    *[broken_values(SQUAD).map(lambda value: json.dumps(value).encode())] * 2,
    st.binary(max_size=80),
)
PARTS = st.one_of(TEXTS, st.just(PASSAGE), broken_bytes(st.just(PASSAGE.encode())), JUNK)
INPUTS = st.one_of(
    st.tuples(st.just("file"), FILES),
    st.tuples(st.just("row"), st.one_of(ROWS, JUNK)),
    st.tuples(st.just("value"), st.one_of(PARTS, st.tuples(PARTS, PARTS))),
)


@functools.cache
def objective() -> QuestionAnswering:
    """The task with a small reader, to which the passage is longer than a row."""
    reader = TextReader({**texts.reader().spec(), "passage": True})
    backbone: Any = SimpleNamespace(width=4)
    targets = {"longest": 9, "unanswerable": True}
    brief = Brief(backbone=backbone, reader=reader, targets=targets, options={}, modality="text")
    return QuestionAnswering(brief)


def feed(folder: Path, given: tuple[str, Any]) -> None:
    """Every row that is accepted has answers that stand in its passage, and is read whole in
    windows; where one of a file is bad, the first of them is told."""
    way, what = given
    if way == "value":
        _read(what)
        return
    if way == "row":
        _use(what if isinstance(what, dict) else {"answers": what})
        return
    path = folder / "rows.json"
    path.write_bytes(what)
    found = read_squad(path, PLAIN)
    for number, cells in enumerate(zip(*found.columns.values(), strict=True)):
        if number in found.bad:
            raise RowError(found.bad[number])
        _use({name: _plain(cell) for name, cell in zip(found.columns, cells, strict=True)})


def _plain(cell: Any) -> Any:
    return cell.as_py() if hasattr(cell, "as_py") else cell


def _use(row: Mapping[str, Any]) -> None:
    """Take a row the way that a run takes it."""
    used, reader = question_rows(row), objective().brief.reader
    passage = used["text_pair"]
    for each in used["answers"]:
        start, text = each["start"], each["text"]
        if not text or passage[start : start + len(text)] != text:
            raise WrongAnswer(f"{each} in {passage!r}")
    windows, parts = _read((used["text"], passage)), objective().parts(used)
    objective().encode(used, windows[0])
    if len(parts) != len(windows):
        raise WrongAnswer(f"{len(parts)} parts of {len(windows)} windows")
    for part in parts:
        objective().encode(part, read_row(reader, (part["text"], part["text_pair"])))


def _read(raw: Any) -> Sequence[Arrays]:
    """All of a value, as a bundle reads it."""
    reader = objective().brief.reader
    return all_windows(reader, raw, read_row(reader, raw))


BORDER = Border(
    "questions",
    INPUTS,
    feed,
    lambda: [
        ("file", json.dumps(SQUAD).encode()),
        ("row", ROW),
        ("value", ("Where?", PASSAGE.encode())),
        ("row", {**ROW, "answers": {"text": [], "answer_start": []}}),
        ("row", {**ROW, "answers": json.dumps([ANSWER])}),
    ],
    prepare=lambda folder: objective(),
)
