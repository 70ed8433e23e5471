"""Branches of which one writes: the others are read, and its reader is fitted to the texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from multigraft.contracts.describing_branches import alone, compose_describing
from multigraft.contracts.records import Modality
from multigraft.contracts.types import Arrays, Spec
from multigraft.errors import BundleError, RowError


@dataclass(frozen=True)
class Letters:
    """Texts, a number for each letter that the spec knows."""

    letters: str
    fills: Mapping[str, float] = field(default_factory=lambda: {"ids": 0})

    def read(self, raw: Any) -> Arrays:
        if not isinstance(raw, str):
            raise RowError(f"found {type(raw).__name__}")
        return {"ids": np.array([self.letters.index(each) for each in raw], dtype=np.int64)}

    def length(self, row: Arrays) -> int:
        return len(row["ids"])

    def spec(self) -> Spec:
        return {"letters": self.letters}

    def written(self, text: str) -> Sequence[int]:
        return [*self.read(text)["ids"].tolist(), len(self.letters)]

    def text(self, tokens: Sequence[int]) -> str:
        return "".join(self.letters[token] for token in tokens if token < len(self.letters))


def fit(raws: Iterable[Any], spec: Spec) -> Spec:
    return spec if spec.get("letters") else {"letters": "".join(sorted(set("".join(raws))))}


def modality(name: str, **more: Any) -> Modality:
    reader = lambda spec: Letters(spec["letters"])  # noqa: E731
    return Modality(name=name, reader=reader, columns=(name,), fit=fit, **more)


PICTURE, SOUND, TEXT = modality("picture", suffixes=(".png",)), modality("sound"), modality("text")
ROWS = [{"picture": "ab"}, {"picture": "ba"}, {"text": "zy"}, {"text": "xz"}]


@pytest.fixture
def described() -> Modality:
    return compose_describing({"picture": PICTURE, "text": TEXT}, "text", missing=False)


def test_texts_are_learned_from_what_is_written_and_values_from_what_is_read(
    described: Modality,
) -> None:
    assert described.fit is not None
    spec = described.fit(ROWS, {})
    assert (spec["picture.letters"], spec["text.letters"]) == ("ab", "xyz")
    assert described.fit([], spec) == spec, "a complete spec comes back unchanged"
    reader: Any = described.reader(spec)
    assert reader.spec() == spec
    assert list(reader.written("xy")) == [0, 1, 3]
    assert reader.text([2, 0, 3]) == "zx"
    assert reader.prompt("anything").tolist() == []


def test_the_writing_branch_has_no_column_and_is_not_read(described: Modality) -> None:
    assert described.columns == described.required == ("picture",)
    assert described.name == "picture+text"
    reader = described.reader(described.fit(ROWS, {}))  # type: ignore[misc]
    row = reader.read({"picture": "ba"})
    assert {name: array.tolist() for name, array in row.items()} == {"picture.ids": [1, 0]}
    assert reader.fills.keys() == {"picture.ids"}
    with pytest.raises(RowError, match="found 'text' in it"):
        reader.read({"picture": "ba", "text": "x"})


def test_a_value_of_one_branch_may_stand_alone(described: Modality) -> None:
    reader = described.reader(described.fit(ROWS, {}))  # type: ignore[misc]
    assert reader.read("ab")["picture.ids"].tolist() == [0, 1]
    bare = alone(described)
    assert (bare.branches, bare.columns, bare.suffixes) == ({}, ("picture",), (".png",))
    both = compose_describing(
        {"picture": PICTURE, "sound": SOUND, "text": TEXT}, "text", missing=False
    )
    assert alone(both) is both
    rows = [{"picture": "ab", "sound": "c"}, {"text": "z"}]
    with pytest.raises(RowError, match="a mapping with 'picture', 'sound' is needed"):
        both.reader(both.fit(rows, {})).read("ab")  # type: ignore[misc]


@pytest.mark.parametrize("changed", [{"writer": "picture"}, {"branches": None}, {"branches": {}}])
def test_settings_of_other_branches_are_refused(
    described: Modality, changed: dict[str, Any]
) -> None:
    spec = described.fit(ROWS, {})  # type: ignore[misc]
    with pytest.raises(BundleError, match="are of the branches"):
        described.reader({**spec, **changed})
