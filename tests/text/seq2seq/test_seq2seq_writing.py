"""Encoder-decoders write as transformers does, before the export and in a bundle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import multigraft as mg
from helpers.seq2seq_runs import made_texts, trained
from multigraft.contracts.readers import collate
from multigraft.errors import DataError
from multigraft.runtime.answers.registry import ANSWERS

ASKED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"method": "greedy"}, {}),
    ({"method": "beam", "beams": 4}, {"num_beams": 4, "early_stopping": False}),
    (
        {"method": "beam", "beams": 4, "length_penalty": 0.5, "no_repeat_ngram": 2},
        {
            "num_beams": 4,
            "early_stopping": False,
            "length_penalty": 0.5,
            "no_repeat_ngram_size": 2,
        },
    ),
]


ALONE = """
import json, sys
for name in ("torch", "transformers", "onnx"):
    sys.modules[name] = None
import multigraft as mg
texts, asked = json.loads(sys.argv[2])
predictor = mg.load(sys.argv[1], precision="fp32")
print(json.dumps([predictor.generate(texts, **each) for each in asked]))
print(json.dumps(predictor.predict(texts)))
"""


def written(run: mg.Run, texts: list[str], options: dict[str, Any]) -> list[list[int]]:
    """The tokens that transformers writes, up to the end."""
    model: Any = run.graft.backbone.model
    rows = collate([run.reader.read(text) for text in texts], run.reader.fills)
    batch = {name: torch.from_numpy(array) for name, array in rows.items()}
    with torch.inference_mode():
        whole = model.generate(**batch, do_sample=False, max_new_tokens=12, **options)[:, 1:]
    end = model.config.eos_token_id
    return [row[: row.index(end) + 1] if end in row else row for row in whole.tolist()]


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("ours", "theirs"), ASKED, ids=["greedy", "beams", "no-repeat"])
def test_a_bundle_writes_what_transformers_writes(
    run: mg.Run, bundle: Path, ours: dict[str, Any], theirs: dict[str, Any], count: int
) -> None:
    texts = made_texts(count, seed=1)
    wanted = written(run, texts, theirs)
    predictor = mg.load(bundle, precision="fp32")
    assert [answer["tokens"] for answer in predictor.generate(texts, **ours)] == wanted
    assert [predictor.generate(text, **ours)["tokens"] for text in texts] == wanted, "each alone"
    assert len({tuple(row) for row in wanted}) > 1


def test_a_process_without_torch_writes_the_same(run: mg.Run, bundle: Path) -> None:
    texts, asked = made_texts(4, seed=2), [ours for ours, _ in ASKED]
    said = subprocess.run(
        [sys.executable, "-c", ALONE, str(bundle), json.dumps([texts, asked])],
        check=True,
        capture_output=True,
        text=True,
    )
    generated, predicted = map(json.loads, said.stdout.splitlines())
    found = [[answer["tokens"] for answer in answers] for answers in generated]
    assert found == [written(run, texts, theirs) for _, theirs in ASKED]
    beams = {"num_beams": 2, "early_stopping": False}
    assert [answer["tokens"] for answer in predicted] == written(run, texts, beams)


def test_a_tuple_of_texts_is_not_written_of_as_one(bundle: Path) -> None:
    predictor = mg.load(bundle)
    pair = ("warm river", "old coat")
    for ask in (predictor.generate, predictor.predict):
        with pytest.raises(mg.RowError, match="'text' alone; ask for each"):
            ask(pair)


def test_evaluation_and_gate_give_the_figures_of_the_bundle(run: mg.Run, bundle: Path) -> None:
    report = run.evaluate()
    rows, answers = run.rows[run.held_out()], run.metrics.answers
    assert answers is not None
    predictor = mg.load(bundle, precision="fp32")
    made = predictor.predict([rows.raw(number) for number in range(len(rows))])
    each = [answers.score(answer, rows.row(number)) for number, answer in enumerate(made)]
    kept = {name: np.array([row[name] for row in each]) for name in each[0]}
    wanted = answers.summarise(kept)
    assert {name: report.metrics[name].value for name in wanted} == pytest.approx(wanted, abs=1e-9)
    fp32 = predictor.bundle.precisions["fp32"]
    assert (fp32.metric, fp32.value) == (
        "cer",
        pytest.approx(wanted["cer"], abs=1e-9),
    )


@pytest.mark.parametrize(
    ("target", "says"), [("  ", "the text is empty"), ("far too long a text", "at most 12 are")]
)
def test_a_target_that_cannot_be_written_is_a_named_bad_row(
    tmp_path: Path, target: str, says: str
) -> None:
    rows = [{"text": f"fox {place}", "target": "fox"} for place in range(8)]
    rows[3]["target"] = target
    with pytest.raises(DataError, match=says):
        trained(tmp_path, "t5", rows)


def test_an_evaluation_keeps_what_was_written_of_each_row(
    run: mg.Run, bundle: Path, tmp_path: Path
) -> None:
    texts, other = made_texts(2, seed=6), tmp_path / "other.jsonl"
    rows = [{"text": text, "target": "FOX"} for text in texts]
    other.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run.evaluate(str(other), rows=tmp_path / "answers.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    written = [answer["text"] for answer in mg.load(bundle, precision="fp32").predict(texts)]
    assert [line["answer"]["text"] for line in lines] == written
    assert [(line["correct"], line["expected"]) for line in lines] == [(False, "FOX")] * 2


def test_a_text_is_right_where_it_is_the_wanted_one_and_a_summary_never() -> None:
    answers, rows = ANSWERS["text"]({}), [{"target": "FOX "}, {"target": "HILL"}]
    each = [answers.score({"text": "FOX"}, row) for row in rows]
    kept = {name: np.array([row[name] for row in each]) for name in each[0]}
    assert answers.right(kept) == pytest.approx([True, False])
    assert ANSWERS["summary"]({}).right({"rouge": np.ones((2, 3))}) is None
