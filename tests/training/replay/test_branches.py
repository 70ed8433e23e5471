"""Each branch of a graft is replayed by itself: the same weights come out, and less is computed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers import captioned
from multigraft.engine import Engine
from multigraft.system.compute.precision import FP32
from multigraft.training.forward import Forward, replayed_split

PARTS = {
    "both probed": "linear-probe",
    "one probed": {"words": {"name": "partial", "blocks": 1}, "grey": "linear-probe"},
    "each in part": {
        "words": {"name": "partial", "blocks": 1},
        "grey": {"name": "partial", "blocks": 1},
    },
    "one in full": {"words": "linear-probe", "grey": "full"},
}


def trained(folder: Path, strategy: Any, *, replay: str, missing: bool, precision: str) -> Any:
    folder.mkdir()
    rows = [
        {"words": row["words"], "grey": row["grey"], "label": "ab"["Ada" in row["words"]]}
        for row in captioned.rows(48, seed=4)
    ]
    if missing:
        for row in rows[::3]:
            row["grey"] = None
        for row in rows[1::4]:
            row["words"] = row["words"] if row["grey"] is None else None
    table = folder / "rows.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = {
        "task": "classification",
        "backbone": {"words": "wordnet-tiny", "grey": "lattice-tiny"},
        "strategy": strategy,
        "data": {
            "train": str(table),
            "missing": "allow" if missing else "refuse",
            "split": {"validation": 0.25, "test": 0},
            "leakage": {"allowed": 1},
        },
        "training": {
            **{"epochs": 3, "batch_size": 6, "learning_rate": 0.01, "precision": precision},
            **{"replay": replay, "compile": "off", "workers": 0, "solve": "off"},
        },
        "evaluation": {"split": "validation", "bootstrap": 0},
        "output": str(folder / "run"),
    }
    return Engine([captioned], discover=False, strict=True).start(recipe, "finetune")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("missing", [False, True], ids=["whole", "missing"])
@pytest.mark.parametrize("name", PARTS)
def test_replayed_and_recomputed_end_alike(
    name: str, missing: bool, precision: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "multigraft")
    on, off = (
        trained(tmp_path / replay, PARTS[name], replay=replay, missing=missing, precision=precision)
        for replay in ("on", "off")
    )
    told = [line for line in caplog.messages if line.startswith("replaying")]
    assert len(told) == (1 if name == "one in full" else 2), caplog.messages
    ours, theirs = on.graft.state_dict(), off.graft.state_dict()
    close = {"rtol": 1e-4, "atol": 1e-6} if precision == "fp32" else {"rtol": 0.05, "atol": 5e-3}
    assert all(torch.allclose(ours[key], theirs[key], **close) for key in ours)
    metrics = [
        {key: each.value for key, each in run.evaluate().metrics.items()} for run in (on, off)
    ]
    assert metrics[0]["loss"] == pytest.approx(
        metrics[1]["loss"], abs=1e-4 if precision == "fp32" else 0.05
    )


def test_what_a_frozen_branch_reads_is_not_read_again(tmp_path: Path) -> None:
    run = trained(
        tmp_path / "run",
        {"words": "full", "grey": "linear-probe"},
        replay="on",
        missing=True,
        precision="fp32",
    )
    found = replayed_split(run, "validation")
    assert found is not None and found.reads is not None
    assert {"words.ids", "words.mask", "present", "label"} <= found.reads
    assert not any(name.startswith("grey.") for name in found.reads)


def test_rows_that_lack_a_branch_are_not_computed_for_it(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", "linear-probe", replay="on", missing=True, precision="fp32")
    rows = run.rows["train"]
    there = sum("grey" in rows.raw(index) for index in range(len(rows)))
    forward: Any = Forward.__new__(Forward)
    forward.run, forward.precision = run, FP32
    held = forward._replay_branch("grey", run.facts["frozen"]["grey"])
    assert 0 < there < len(rows) and len(held["train"].keys) == there
    assert run.facts["frozen"] == {"words": 4, "grey": 3}
    assert np.isfinite([entry["metrics"]["loss"] for entry in run.history]).all()
