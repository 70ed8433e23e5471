"""A source that is longer than its row: bundle and server do with it what evaluation did."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
from helpers.seq2seq_runs import FAMILIES, made_texts, rows_of, trained
from multigraft.cli import main
from multigraft.errors import DataError, PredictError, RowError
from multigraft.evaluation.generation.torch_writer import torch_writer
from multigraft.runtime import Predictor
from multigraft.runtime.read_value import ReadValue
from multigraft.runtime.serving.model import Model

LONG = "fox runs rain " * 8
"""Of 112 characters, which are a token each but for the space at the end; 64 are read."""


@pytest.fixture
def predictor(bundle: Path) -> Predictor:
    return mg.load(bundle, precision="fp32")


def summing(predictor: Predictor) -> Predictor:
    """The same bundle, of a task that reads of a long text its beginning."""
    assert predictor.writer is not None
    ports = predictor.writer.ports.model_copy(update={"whole": False})
    predictor.writer = replace(predictor.writer, ports=ports)
    predictor.bundle = predictor.bundle.model_copy(update={"generation": ports})
    return predictor.with_reader(predictor.reader)


def tokens(run: mg.Run, text: str) -> int:
    reader: Any = run.reader
    return len(reader._whole.encode(text).ids)


def test_what_was_left_out_of_evaluation_is_refused_with_its_count(
    run: mg.Run, predictor: Predictor, tmp_path: Path
) -> None:
    has = tokens(run, LONG)
    assert has > 64 and tokens(run, "fox") < 10
    other = tmp_path / "other.jsonl"
    rows = [{"text": text, "target": "FOX"} for text in ("fox", LONG)]
    other.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (note,) = (each for each in run.evaluate(str(other)).notes if "left out" in each)
    counted = f"has {has} tokens, and 64 are read"
    assert counted in note and "reader.max_length" in note and "max_seconds" not in note
    for ask in (predictor.predict, predictor.generate, predictor.stream):
        with pytest.raises(RowError, match=f"longer than the model takes: {counted}; shorten"):
            list(ask(LONG, method="greedy"))
    good, bad = predictor.predict(["fox", LONG], on_error="return")
    assert "cut" not in good and counted in bad["error"]


def test_its_beginning_is_answered_where_somebody_asks_for_it(
    run: mg.Run, predictor: Predictor, caplog: pytest.LogCaptureFixture
) -> None:
    cut = {"has": tokens(run, LONG), "takes": 64}
    answer = predictor.predict(LONG, long="truncate")
    assert answer["cut"] == cut
    assert predictor.generate(LONG, long="truncate") == answer
    assert "".join(predictor.stream(LONG, long="truncate", method="greedy"))
    assert f"cut off: it has {cut['has']} (tokens, or seconds), and 64 were read" in caplog.text
    with pytest.raises(PredictError, match="allowed: 'truncate', 'window', 'refuse'"):
        predictor.generate(LONG, long="all")  # type: ignore[arg-type]
    with pytest.raises(PredictError, match="long='window' needs"):
        predictor.stream(LONG, long="window")


def test_a_task_that_reads_the_beginning_says_so_in_evaluation_bundle_and_server(
    run: mg.Run, predictor: Predictor
) -> None:
    cut = {"has": tokens(run, LONG), "takes": 64}
    generating = run.objective.generating(run.graft.head)
    assert generating is not None and generating.whole
    short, long = summing(predictor).predict(["fox", LONG])
    assert "cut" not in short and long["cut"] == cut
    writer = torch_writer(run.graft.eval(), replace(generating, whole=False), run.reader)
    assert [each.get("cut") for each in writer.generate(["fox", LONG])] == [None, cut]
    model = Model("summing", summing(predictor), predictor.modality)
    asked = model.check({})
    values = [ReadValue(text, (model.read(text),), asked) for text in ("fox", LONG)]
    assert [each.get("cut") for each in model.answer(values)] == [None, cut]
    with pytest.raises(RowError, match="longer than the model takes"):
        predictor.predict(LONG, long="refuse")


def test_a_server_refuses_what_the_bundle_refuses(predictor: Predictor) -> None:
    with pytest.raises(RowError, match=r"has \d+ tokens, and 64 are read"):
        Model("writing", predictor, predictor.modality).read(LONG)


def test_the_command_line_refuses_and_cuts_alike(
    run: mg.Run, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "asked.jsonl"
    table.write_text(json.dumps({"text": LONG}) + "\n")
    asked = ["predict", str(bundle), str(table), "--precision", "fp32", "--json"]
    assert main(asked) == 1
    (told,) = json.loads(capsys.readouterr().out)
    assert f"has {tokens(run, LONG)} tokens" in told["answer"]["error"]
    assert main([*asked, "--long", "truncate"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["answer"]["cut"]["takes"] == 64


def test_a_long_source_is_a_bad_row_of_training_but_for_a_summary(tmp_path: Path) -> None:
    rows = rows_of(made_texts(12, seed=0))
    rows[3]["text"] = LONG
    with pytest.raises(DataError, match=r"row 4.*tokens, and 64 are read.*raise reader.max_length"):
        trained(tmp_path, FAMILIES[0], rows)
