"""``search``: a folder's files by a query, with an index that is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import multigraft.runtime
from multigraft.cli.app import build
from multigraft.runtime import ranking
from runtime.test_gallery import dual


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The files that were read; texts are looked up in a table of vectors."""
    seen: list[str] = []
    predictor = dual(seen)

    def outputs(values: list[dict[str, str]]) -> list[dict[str, Any]]:
        ((name, text),) = values[0].items()
        return [{f"{name}_embedding": np.array(vector_of(text))}]

    def vector_of(text: str) -> list[float]:
        path = Path(text)
        return [float(n) for n in path.read_text().split()] if path.is_file() else [0.0, 1.0]

    predictor.outputs = outputs
    predictor.rank = lambda query, gallery, top_k: ranking.rank(
        predictor, query, gallery, top_k=top_k
    )
    monkeypatch.setattr(multigraft.runtime, "load", lambda folder, **settings: predictor)
    monkeypatch.setenv("MULTIGRAFT_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "numbers"
    folder.mkdir()
    for name, text in (("east.n", "2 0"), ("north.n", "0 3"), ("between.n", "1 1")):
        (folder / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return seen


def said(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(build(), ["search", "bundle", *arguments])
    assert result.exit_code == code, result.output
    return result


def names(*arguments: str) -> list[str]:
    (asked,) = json.loads(said(*arguments, "--json").stdout)
    return [each["id"] for each in asked["found"]]


def test_the_nearest_files_come_first_and_are_read_once(read: list[str], tmp_path: Path) -> None:
    assert names("numbers", "up") == ["north.n", "between.n", "east.n"]
    assert names("numbers", "numbers/east.n", "--top-k", "2") == ["east.n", "between.n"]
    assert read == ["between.n", "east.n", "north.n"]
    (tmp_path / "numbers" / "north.n").unlink()
    assert names("numbers", "up") == ["between.n", "east.n"]
    assert len(read) == 3
    (index,) = (tmp_path / "cache" / "galleries").glob("*/index.npz")
    index.write_text("broken")
    found = said("numbers", "up")
    assert "is made anew" in found.stderr and "between.n" in found.stdout and len(read) == 5


def test_an_index_may_be_kept_in_a_file_and_searched_alone(read: list[str], tmp_path: Path) -> None:
    names("numbers", "up", "--index", "kept.npz")
    names("numbers", "up", "--index", "kept.npz")
    assert len(read) == 3 and not (tmp_path / "cache" / "galleries").exists()
    assert names("kept.npz", "up", "--top-k", "1") == ["north.n"]
    (tmp_path / "kept.npz").write_text("broken")
    assert "is no index file" in said("numbers", "up", "--index", "kept.npz", code=1).stderr
    assert "is none" in said("kept.npz", "up", "--index", "other.npz", code=2).stderr


def test_a_file_that_cannot_be_read_is_told(read: list[str], tmp_path: Path) -> None:
    (tmp_path / "numbers" / "odd.n").write_text("x")
    found = said("numbers", "up", "right")
    assert "odd.n: image: holds no numbers" in found.stderr
    assert "up\n" in found.stdout and "north.n" in found.stdout
    assert "embedded 3 of 3 files" in found.stderr


def test_a_query_that_looks_like_a_file_and_is_none_is_told(read: list[str]) -> None:
    found = said("numbers", "nowhere.N")
    assert "nowhere.N: there is no such file" in found.stderr and "north.n" in found.stdout
    assert "no such file" not in said("numbers", "nowhere.n", "--branch", "text").stderr
    for query in ("numbers/east.n", "a text that ends.", "up"):
        assert "no such file" not in said("numbers", query).stderr
