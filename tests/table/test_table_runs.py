"""Tables through the engine: a file of rows in, answers and what there is to tell of them out."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
from helpers.bundle_figures import figures_agree
from multigraft.errors import DataError, RecipeError
from table.conftest import made, write

QUICK: dict[str, Any] = {
    "training": {
        "steps": 60,
        "learning_rate": 3e-3,
        "precision": "fp32",
        "workers": 0,
        "compile": "off",
    },
    "evaluation": {"bootstrap": 10},
    "export": {"precisions": ["fp32"], "repair": 0},
}


def learn(data: Any, folder: Path, **fields: Any) -> Any:
    asked = {"task": "table-classification", "backbone": "mlp-plr-tiny", **QUICK, **fields}
    return mg.finetune(**asked, data=data, output=folder)


def test_a_table_is_learned_told_of_and_served(
    people: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = learn(str(people), tmp_path / "run", reader={"types": {"joined": "ignore"}})
    notes = " ".join(run.facts["notes"])
    assert "numbers: age; categories: city" in notes
    assert "joined (as reader.types says)" in notes
    assert run.evaluate().metrics["accuracy"].value > 0.6
    bundle = run.export().files["bundle"]
    figures_agree(run, without=())
    predictor = mg.load(bundle)
    young = predictor.predict({"age": 12, "city": "Lagos"})
    assert young["label"] == "young"
    assert predictor.predict('{"age": 12, "city": "Lagos"}') == young
    caplog.clear()
    with caplog.at_level(logging.WARNING, "multigraft"):
        answers = predictor.predict([{"city": "Rome", "age": 70}, {"city": "Oslo"}, {"age": 3}])
    assert answers[0]["label"] == "old"
    assert "2 of 3 values: 'city' holds a category that no training row has" in caplog.text
    with pytest.raises(mg.RowError, match="item 1: there is no column 'town'"):
        predictor.predict([{"age": 3}, {"town": "Lima"}])


def test_unseen_categories_of_other_data_are_counted(people: Path, tmp_path: Path) -> None:
    run = learn(str(people), tmp_path / "run", training={**QUICK["training"], "steps": 2})
    rows = made(20, seed=1)
    for row in rows[:3]:
        row["city"] = "Rome"
    other = write(tmp_path / "other.csv", [{**row, "further": 1} for row in rows])
    report = run.evaluate(str(other))
    assert "other: 3 of 20 rows: 'city' holds a category that no training row has" in report.notes
    other.write_text(other.read_text().replace("age", "years"))
    with pytest.raises(DataError, match="table: there is no column 'age'"):
        run.evaluate(str(other))
    assert run.evaluate(str(other), columns={"age": "years"}).metrics


def test_a_run_goes_on_from_the_weights_of_another(people: Path, tmp_path: Path) -> None:
    first = learn(str(people), tmp_path / "first", backbone="ft-transformer-tiny")
    weights = {"name": "ft-transformer-tiny", "weights": str(first.folder)}
    training = {**QUICK["training"], "steps": 1}
    second = learn(str(people), tmp_path / "second", backbone=weights, training=training)
    assert second.reader.spec() == first.reader.spec()
    with pytest.raises(RecipeError, match=r"reader\.numbers: the weights of"):
        learn(str(people), tmp_path / "a", backbone=weights, reader={"numbers": "standard"})
    other = write(tmp_path / "o.csv", [{**row, "height": row["id"]} for row in made(40)])
    with pytest.raises(DataError, match="trained on other columns, and know no 'height'"):
        learn(str(other), tmp_path / "b", backbone=weights)


@pytest.mark.parametrize(
    ("fields", "error", "says"),
    [
        (
            {"columns": {"table": ["age", "town"]}},
            DataError,
            "data.columns: table: there is no column 'town'",
        ),
        ({"columns": {"table": ["age", "age"]}}, RecipeError, "a column stands twice in it"),
        ({"columns": {"table": []}}, RecipeError, "data.columns.table"),
        ({"columns": {"label": ["age", "city"]}}, RecipeError, "data.columns.label: found a list"),
    ],
)
def test_columns_that_cannot_be_read(
    people: Path, tmp_path: Path, fields: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as caught:
        learn({"train": str(people), **fields}, tmp_path / "run")
    assert says in str(caught.value)


def test_a_branch_that_reads_one_column_takes_no_list(people: Path, tmp_path: Path) -> None:
    branches = {"text": "bert-tiny", "table": "mlp-plr-tiny"}
    columns = {"text": ["city", "joined"]}
    with pytest.raises(RecipeError) as caught:
        learn(
            {"train": str(people), "columns": columns},
            tmp_path / "run",
            task="classification",
            backbone=branches,
        )
    assert "data.columns.text: found a list; one column is read there, and of several: table" in (
        str(caught.value)
    )


def test_a_text_and_a_table_are_learned_side_by_side(tmp_path: Path) -> None:
    rows = made(60)
    for number, row in enumerate(rows):
        row["text"] = "" if number % 5 == 0 else f"{row['label']} person from {row['city']}"
    path = write(tmp_path / "both.csv", rows)
    run = learn(
        {"train": str(path), "columns": {"table": ["age", "city"]}, "missing": "allow"},
        tmp_path / "run",
        task={"name": "classification", "fusion": "cross-attention", "modality_dropout": 0.2},
        backbone={"text": "bert-tiny", "table": "ft-transformer-tiny"},
        reader={"text": {"max_length": 16, "vocabulary": 60}},
        training={**QUICK["training"], "steps": 2},
    )
    assert any("rows have no 'text'" in note for note in run.facts["notes"])
    assert any("table: columns are read as" in note for note in run.facts["notes"])
    predictor = mg.load(run.export().files["bundle"])
    figures_agree(run, without=())
    both = predictor.predict({"text": "a person", "table": {"age": 3, "city": "Lima"}})
    alone = predictor.predict({"table": {"age": 3, "city": "Lima"}})
    assert set(both["scores"]) == set(alone["scores"]) == {"young", "old"}
    assert both["scores"] != alone["scores"]


def test_few_rows_are_gone_through_often(people: Path, tmp_path: Path) -> None:
    recipe = {
        "task": "table-classification",
        "backbone": "mlp-plr-tiny",
        "data": {"train": str(people)},
        "training": {"batch_size": 120, "precision": "fp32", "workers": 0, "compile": "off"},
        "output": str(tmp_path / "run"),
    }
    run = mg.finetune(recipe)
    assert run.total_steps == 200, "2000 steps would be more than 200 passes"


def test_many_equal_rows_in_two_splits_stop_no_run(tmp_path: Path) -> None:
    rows = [{"a": number % 2, "b": number % 3, "label": "xy"[number % 2]} for number in range(90)]
    path = write(tmp_path / "equal.csv", rows)
    training = {**QUICK["training"], "steps": 1}
    run = learn(str(path), tmp_path / "run", training=training)
    assert any("also training rows (equal raw value)" in note for note in run.facts["notes"])
    with pytest.raises(DataError, match="also stand in training"):
        data = {"train": str(path), "leakage": {"allowed": 0.5}}
        learn(data, tmp_path / "other", training=training)


def test_the_command_line_takes_tables_and_json(people: Path, tmp_path: Path) -> None:
    from multigraft.cli.inputs import gather
    from multigraft.evaluation.file_answers.bundle_tables import Tables, tables_of

    run = learn(str(people), tmp_path / "run", training={**QUICK["training"], "steps": 1})
    bundle = mg.load(run.export().files["bundle"])
    tables = tables_of(bundle.bundle, bundle.modality, run.catalog, {})
    assert isinstance(tables, Tables)
    rows = [{key: row[key] for key in ("city", "joined", "age")} for row in made(4)]
    asked = write(tmp_path / "asked.csv", [{**row, "unknown": 1} for row in rows])
    found = gather([str(asked), '{"age": 3}'], bundle.modality, stdin=False, tables=tables)
    assert [each.value for each in found[:1]] == [{**rows[0], "age": rows[0]["age"]}]
    assert len(bundle.predict([each.value for each in found])) == 5
    asked.write_text("city,joined\nLima,2024-01-01\n")
    with pytest.raises(DataError, match="there is no column 'age'"):
        gather([str(asked)], bundle.modality, stdin=False, tables=tables)


def test_a_server_takes_an_object_of_cells(people: Path, tmp_path: Path) -> None:
    from multigraft.runtime.serving.faults import Fault
    from multigraft.runtime.serving.model import Model
    from multigraft.runtime.serving.request_values import _any_value

    run = learn(str(people), tmp_path / "run", training={**QUICK["training"], "steps": 1})
    predictor = mg.load(run.export().files["bundle"])
    model = Model("people", predictor, predictor.modality)
    value = {"age": 3, "city": None}
    assert _any_value(value, model) == value
    assert model.memory(value) >= 0
    assert isinstance(_any_value(3, model), Fault)
    row = model.read(_any_value('{"age": 3}', model))
    assert row.keys() == model.read(value).keys()


def test_a_row_of_empty_cells_is_a_bad_row(tmp_path: Path) -> None:
    rows = made(30)
    rows[4] |= {"age": "", "city": "", "joined": ""}
    rows[5] |= {"age": "NA", "city": "?", "joined": ""}
    path = write(tmp_path / "people.csv", rows)
    with pytest.raises(DataError) as caught:
        learn(str(path), tmp_path / "run")
    assert "row 5: columns 'age', 'city', 'joined' are empty" in str(caught.value)
    assert "row 6, column 'table': every cell is missing" in str(caught.value)


def test_what_is_saved_is_json(people: Path, tmp_path: Path) -> None:
    run = learn(str(people), tmp_path / "run", training={**QUICK["training"], "steps": 1})
    saved = json.loads((run.folder / "run.json").read_text())["reader"]
    assert saved["kind"] == "table"
    assert mg.open_run(run.folder).reader.spec() == run.reader.spec()
