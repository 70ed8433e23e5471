"""File formats enter by a hook: a stranger's file is rows, by its ending or by its name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
from helpers.samples import write_texts
from multigraft.data import load_table
from multigraft.data.sources.load import CORE
from multigraft.errors import DataError, PluginError, RecipeError
from multigraft.plugins.catalog import Catalog
from multigraft.recipe.resolve import read_recipe
from multigraft.testing import check_plugin


def read_lines(path: Path, layout: mg.Layout) -> mg.Parsed:
    """A text and, behind a bar, its label."""
    lines = path.read_text(encoding=layout.encoding, errors="surrogateescape").splitlines()
    cells = [line.split("|") for line in lines]
    if not cells or any(len(each) != 2 for each in cells):
        raise ValueError("a text, a bar and a label are needed in each line")
    return mg.Parsed(
        {"text": [text for text, _ in cells], "label": [label for _, label in cells]}, kind="line"
    )


BARS = mg.Format(name="bars", endings=(".bars",), read=read_lines)


class Brings:
    def __init__(self, *formats: Any) -> None:
        self.formats = formats

    @mg.hookimpl
    def register_formats(self) -> list[mg.Format]:
        return list(self.formats)


def test_core_s_own_formats_enter_by_it() -> None:
    catalog = Catalog(discover=False)
    assert catalog.formats() == CORE
    names = ["csv", "json", "parquet", "arrow", "xlsx", "lines", "paragraphs"]
    assert [each.name for each in CORE] == names
    assert catalog.owner("formats", "csv").name == "engine"


@pytest.mark.parametrize(
    ("formats", "said"),
    [
        ([mg.Format(name="csv", endings=(".x",), read=read_lines)], "format 'csv' is already reg"),
        ([BARS, BARS], "format 'bars' is registered twice"),
        (
            [mg.Format(name="tables", endings=(".x", ".tsv"), read=read_lines)],
            "format 'tables': files ending in '.tsv' are those of format 'csv' of plugin 'engine'",
        ),
        (
            [BARS, mg.Format(name="rods", endings=(".bars",), read=read_lines)],
            "files ending in '.bars' are those of format 'bars'",
        ),
        ([mg.Format(name="x", endings=("bars",), read=read_lines)], "with their dot, as '.conll'"),
        ([mg.Format(name="x", endings=(".BARS",), read=read_lines)], "in lower case with their"),
        ([mg.Format(name="x", endings=(".x.y",), read=read_lines)], "in lower case with their"),
        ([mg.Format(name="folder", endings=(), read=read_lines)], "'folder' is no name for a"),
        ([mg.Format(name="x", endings=(), read=None)], "read of 'x' must be a function"),  # type: ignore[arg-type]
        (["bars"], "register_formats gave str; Format records are needed"),
    ],
)
def test_what_is_no_format_is_refused_whole(formats: list[Any], said: str) -> None:
    catalog = Catalog(discover=False)
    with pytest.raises(PluginError, match=re.escape(said)):
        catalog.admit(Brings(*formats))
    assert catalog.formats() == CORE


@pytest.mark.parametrize(("name", "format"), [("rows.bars", "auto"), ("rows.txt", "bars")])
def test_a_stranger_s_file_is_rows(tmp_path: Path, name: str, format: str) -> None:
    (tmp_path / name).write_text("good|yes\nbad|no\n")
    catalog = Catalog([Brings(BARS)])
    table = load_table(
        name,
        format=format,
        modality=catalog.modality("text"),
        columns={},
        base=tmp_path,
        formats=catalog.formats(),
    )
    assert [table.row(index) for index in range(len(table))] == [
        {"text": "good", "label": "yes"},
        {"text": "bad", "label": "no"},
    ]
    assert table.place(1) == f"{name} line 2"


def test_faults_of_a_stranger_s_file_are_told_as_others_are(tmp_path: Path) -> None:
    catalog = Catalog([Brings(BARS)])
    asked: dict[str, Any] = {"modality": catalog.modality("text"), "columns": {}}
    asked |= {"base": tmp_path, "formats": catalog.formats()}
    (tmp_path / "a.bars").write_bytes(b"caf\xe9|yes\ntea|no\n")
    table = load_table("a.bars", **asked)
    assert table.problem(0) == "column 'text' is not UTF-8: byte 0xe9 after 'caf'"
    assert any("set data.encoding" in note for note in table.notes)
    (tmp_path / "b.bars").write_text("no bar\n")
    with pytest.raises(DataError, match=r"b\.bars: cannot be read.*a text, a bar and a label"):
        load_table("b.bars", **asked)
    uneven = mg.Format(
        name="uneven",
        endings=(".uneven",),
        read=lambda path, layout: mg.Parsed({"text": ["a"], "label": []}),
    )
    (tmp_path / "c.uneven").touch()
    with pytest.raises(DataError, match="columns differ in length"):
        load_table("c.uneven", **{**asked, "formats": (uneven,)})


def test_a_recipe_may_name_it_and_is_told_of_others(tmp_path: Path) -> None:
    recipe: dict[str, Any] = {
        "task": "text-classification",
        "backbone": {"name": "bert-tiny", "weights": "scratch"},
        "data": {"train": str(write_texts(tmp_path, 20)), "format": "bars"},
    }
    assert read_recipe(recipe, Catalog([Brings(BARS)])).recipe.data.format == "bars"
    with pytest.raises(
        RecipeError, match=r"data\.format: unknown format 'parket': did you mean 'parq"
    ):
        read_recipe({**recipe, "data": {**recipe["data"], "format": "parket"}}, Catalog())


def test_a_run_reads_it(tmp_path: Path) -> None:
    lines = [f"row {number} is {'fine' if number % 2 else 'bad'}" for number in range(40)]
    rows = [f"{line}|{'yes' if 'fine' in line else 'no'}" for line in lines]
    (tmp_path / "rows.bars").write_text("\n".join(rows))
    recipe = {
        "task": "text-classification",
        "backbone": {"name": "bert-tiny", "weights": "scratch"},
        "data": str(tmp_path / "rows.bars"),
        "training": {"epochs": 1},
        "output": str(tmp_path / "run"),
    }
    run = mg.Engine([Brings(BARS)]).start(recipe, "finetune")
    assert run.rows["train"].place(0).startswith("rows.bars line ")


def test_the_kit_tries_formats() -> None:
    assert check_plugin(Brings(BARS), checks=["record", "foreign-files"]).count("passed") == 3
    careless = mg.Format(
        name="careless",
        endings=(".careless",),
        read=lambda path, layout: mg.Parsed({"text": ["a"], "label": []}, bad={7: "wrong"}),
    )
    with pytest.raises(AssertionError, match="columns of different lengths"):
        check_plugin(Brings(careless), checks=["foreign-files"])
