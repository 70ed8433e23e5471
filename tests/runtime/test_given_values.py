"""Columns and tables of other libraries as values, without importing any of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from helpers.toy_bundles import shipped
from multigraft.errors import PredictError
from multigraft.runtime import Predictor, load

TEXTS = ["1 2", "3", "4 5 6"]


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    run = shipped("numbers")
    return load(run.folder / "bundle", precision="fp32", catalog=run.catalog)


@pytest.mark.parametrize(
    "values",
    [
        np.array(TEXTS),
        np.array(TEXTS, object),
        pd.Series(TEXTS, index=[5, 6, 7]),
        pa.array(TEXTS),
        pa.chunked_array([TEXTS[:1], TEXTS[1:]]),
        pd.DataFrame({"id": [1, 2, 3], "text": TEXTS}),
        pa.table({"text": TEXTS, "id": [1, 2, 3]}),
    ],
    ids=lambda values: f"{type(values).__module__}.{type(values).__name__}",
)
def test_each_of_many_is_answered(predictor: Predictor, values: Any) -> None:
    assert predictor.predict(values) == predictor.predict(TEXTS)


def test_a_table_without_the_column_is_told(predictor: Predictor) -> None:
    with pytest.raises(PredictError, match=r"no column 'text'; did you mean 'texts'"):
        predictor.predict(pd.DataFrame({"texts": TEXTS}))


def test_a_column_may_be_called_as_in_the_training_rows(predictor: Predictor) -> None:
    import copy

    other = copy.copy(predictor)
    facts = {**predictor.bundle.facts, "columns": {"text": "review"}}
    other.bundle = predictor.bundle.model_copy(update={"facts": facts})
    assert other.predict(pd.DataFrame({"review": TEXTS})) == predictor.predict(TEXTS)


def test_the_name_of_a_table_is_no_text(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("text\n1 2\n")
    with pytest.raises(PredictError, match=r"'rows\.csv' names a file here, and a text is wanted"):
        predictor.predict("rows.csv")
    answers = predictor.predict(["rows.csv", "other.csv"], on_error="return")
    assert ["error" in answer for answer in answers] == [True, True]


def test_pictures_side_by_side() -> None:
    run = shipped("picture")
    pictures = load(run.folder / "bundle", precision="fp32", catalog=run.catalog)
    raws = list(run.rows["test"].raws)[:3]
    assert pictures.predict(np.stack(raws)) == pictures.predict(raws)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, multigraft.runtime.given_values; "
        "print([name for name in ('torch', 'pandas', 'pyarrow', 'polars') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
