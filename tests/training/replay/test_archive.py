"""Results on disk: found by content, complete or absent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from multigraft.contracts.types import Arrays
from multigraft.system import cache
from multigraft.training.replay import archive
from multigraft.training.replay.archive import Archive, row_key


def rows(count: int, start: int = 0) -> list[tuple[bytes, Arrays]]:
    made = [
        {"0.0": np.full((index % 3 + 1, 2), index, np.float32)}
        for index in range(start, start + count)
    ]
    return [(row_key(arrays), arrays) for arrays in made]


def test_rows_are_found_by_another_process() -> None:
    Archive("key").add(rows(5))
    again = Archive("key")
    for key, arrays in rows(5):
        assert key in again
        assert np.array_equal(again.read(key)["0.0"], arrays["0.0"])
    assert rows(1, start=9)[0][0] not in again
    assert not Archive("other")


def test_parts_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PART", 64)
    first = Archive("key")
    first.add(rows(5))
    first.add(rows(2, start=5))
    assert len(first.folders) > 2
    assert all(key in Archive("key") for key, _ in rows(7))


def test_an_interrupted_part_is_not_there_and_earlier_ones_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archive, "PART", 64)

    def broken() -> Iterator[tuple[bytes, Arrays]]:
        yield from rows(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Archive("key").add(broken())
    kept = [key in Archive("key") for key, _ in rows(3)]
    assert any(kept)
    whole = Archive("key")
    whole.add(item for item in rows(3) if item[0] not in whole)
    assert all(key in Archive("key") for key, _ in rows(3))


@pytest.mark.parametrize("name", ["rows.bin", "index.npy", "keys.npy", "forms.json"])
def test_a_damaged_part_counts_as_absent(name: str) -> None:
    Archive("key").add(rows(5))
    (folder,) = cache.entries(archive.KIND)
    path = folder / name
    path.write_bytes(path.read_bytes()[:-7])
    assert not any(key in Archive("key") for key, _ in rows(5))


def test_names_types_and_shapes_tell_rows_apart() -> None:
    numbers = np.arange(6, dtype=np.int32)
    different = [
        {"a": numbers},
        {"b": numbers},
        {"a": numbers.view(np.uint32)},
        {"a": numbers.reshape(2, 3)},
        {"a": numbers[::-1]},
        {"a": numbers[:5]},
    ]
    assert len({row_key(arrays) for arrays in different}) == len(different)
    assert row_key({"a": numbers, "b": numbers}) == row_key({"b": numbers, "a": numbers.copy()})


def test_evicted_rows_are_computed_again(cache_folder: Path) -> None:
    Archive("key").add(rows(5))
    cache.trim(cache_folder, 0)
    assert not Archive("key")
