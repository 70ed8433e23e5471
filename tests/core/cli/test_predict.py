"""Inputs from arguments and stdin; answers as a table or as JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

import multigraft.runtime as runtime

asked: list[tuple[float | None, str]] = []


class Predictor:
    def predict(
        self, values: list[str], *, top_k: int | None, threshold: float | None, long: str
    ) -> list[dict[str, Any]]:
        asked.append((threshold, long))
        ranked = {"good": 0.9, "bad": 0.1}
        kept = dict(list(ranked.items())[: top_k or 2])
        return [
            {"label": "good", "score": float("nan") if value == "nan" else 0.9, "scores": kept}
            for value in values
        ]


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, str | None]]:
    calls: list[tuple[Path, str | None]] = []

    def load(folder: Path, *, precision: str | None, providers: str | None) -> Predictor:
        assert providers in (None, "cpu")
        calls.append((folder, precision))
        return Predictor()

    monkeypatch.setattr(runtime, "load", load)
    return calls


def test_json_pairs_each_input_with_its_answer(cli: Any, loaded: list[Any]) -> None:
    said = cli("predict", "bundle", "[red] ünd", "nan", "--json", "--top-k", "1", "--precision", "int8")
    answers = json.loads(said.out)
    assert [each["input"] for each in answers] == ["[red] ünd", "nan"]
    assert answers[0]["answer"] == {"label": "good", "score": 0.9, "scores": {"good": 0.9}}
    assert answers[1]["answer"]["score"] is None
    assert loaded == [(Path("bundle"), "int8")]


def test_what_is_kept_and_cut_reaches_the_predictor(cli: Any, loaded: list[Any]) -> None:
    asked.clear()
    assert cli("predict", "bundle", "x").code == 0
    options = ("--threshold", "0.5", "--long", "window", "--provider", "cpu")
    assert cli("predict", "bundle", "x", *options).code == 0
    assert asked == [(None, "truncate"), (0.5, "window")]


def test_the_table_shows_text_as_it_is(cli: Any, loaded: list[Any]) -> None:
    said = cli("predict", "bundle", "[red]x[/red]")
    assert "[red]x[/red]" in said.out and "0.9000" in said.out


@pytest.mark.parametrize("arguments", [["--stdin"], ["-"], ["-", "--stdin"]])
def test_stdin_gives_a_line_each(
    cli: Any, loaded: list[Any], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("one\n\ntwo words\n"))
    said = cli("predict", "bundle", *arguments, "--json")
    assert [each["input"] for each in json.loads(said.out)] == ["one", "two words"]


def test_stdin_stands_where_its_dash_stands(
    cli: Any, loaded: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("b\nc\n"))
    said = cli("predict", "bundle", "a", "-", "d", "--json")
    assert [each["input"] for each in json.loads(said.out)] == ["a", "b", "c", "d"]


def test_no_inputs_is_wrong_usage(cli: Any, loaded: list[Any]) -> None:
    said = cli("predict", "bundle")
    assert said.code == 2
    assert "no inputs" in said.err
    assert loaded == []


def test_the_folder_of_a_run_stands_for_its_bundle(cli: Any, loaded: list[Any], tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "bundle.json").write_text("{}")
    cli("predict", str(tmp_path), "x", "--json")
    assert loaded == [(tmp_path / "bundle", None)]
