"""Target cells: what stands in a table where labels or numbers should."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from fuzz.breaking import JUNK, TEXTS, broken_values
from fuzz.harness import Border, WrongAnswer
from multigraft.models.tasks.label_sets import labels_in
from multigraft.models.tasks.numbers import numbers_in

SOUND = {
    "labels": (["a", "b"], "a|b", '["a", 3]', [], None, 3),
    "numbers": (3, "2.5", [1, 2], "[1, 2]", {"a": 1, "b": 0.5}, '{"a": 1}'),
}
ODD = st.sampled_from(
    [
        *("[" * 100_000, '{"a":' * 5_000, "|" * 100_000, "9" * 5_000, "1e999", "-nan", "1_0"),
        *("[1, NaN]", '{"a": Infinity}', "\ud800", "[null]", '{"": 1}', "0x10", "١٢"),
    ]
)
CELLS = st.one_of(
    ODD,
    TEXTS,
    JUNK,
    st.lists(st.one_of(TEXTS, JUNK), max_size=4),
    st.dictionaries(TEXTS, JUNK, max_size=3),
    broken_values(list(SOUND["numbers"])),
    broken_values(list(SOUND["labels"])).map(lambda cell: json.dumps(cell, default=str)),
)


def feed(folder: Path, given: tuple[str, Any]) -> None:
    """Labels are different texts that are not blank; numbers are finite and have names."""
    kind, cell = given
    if kind == "labels":
        labels = labels_in(cell, {"separator": "|"})
        if len(set(labels)) != len(labels) or not all(label.strip() for label in labels):
            raise WrongAnswer(repr(labels))
        return
    numbers = numbers_in(cell)
    if not numbers or not all(math.isfinite(number) for number in numbers.values()):
        raise WrongAnswer(repr(numbers))


BORDER = Border(
    "targets",
    st.tuples(st.sampled_from(["labels", "numbers"]), CELLS),
    feed,
    lambda: [(kind, cell) for kind, cells in SOUND.items() for cell in cells],
)
