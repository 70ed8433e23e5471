"""A run repeats itself from its own folder, and what differs is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from multigraft.engine import Engine
from multigraft.errors import RunError
from multigraft.runs.compare import compare
from multigraft.runs.run import Run
from multigraft.system.compute.determinism import as_many_threads, deterministic

Finetune = Callable[..., Run]


def test_a_run_repeats_to_the_bit(engine: Engine, finetune: Finetune) -> None:
    run = finetune(
        training={"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "deterministic": True}
    )
    found = engine.rerun(run.folder)
    assert found.equal
    assert found.second == run.folder.with_name("run-again")
    assert set(found.weights.values()) == {0.0}
    assert found.changed == {}
    assert engine.rerun(run.folder).second.name == "run-again-2"


def test_what_differs_is_named(engine: Engine, finetune: Finetune, tmp_path: Path) -> None:
    run = finetune()
    other = finetune(seed=1, output=str(tmp_path / "other"))
    facts = json.loads((other.folder / "run.json").read_text())
    facts["versions"]["torch"] = "1.0"
    facts["machine"]["threads"] = 7
    (other.folder / "run.json").write_text(json.dumps(facts))
    found = compare(run.folder, other.folder)
    assert not found.equal
    assert found.step == 10 or found.step == 5  # the first line that is written
    assert any(gap and gap > 0 for gap in found.weights.values())
    assert set(found.changed) == {"versions.torch", "machine.threads"}
    json.dumps(found.to_dict())


def test_one_changed_number_is_measured(finetune: Finetune, tmp_path: Path) -> None:
    first, second = finetune(), finetune(output=str(tmp_path / "second"))
    assert compare(first.folder, second.folder).equal
    path = second.folder / "model" / "head.safetensors"
    tensors = load_file(path)
    name = next(iter(tensors))
    tensors[name].view(-1)[0] += 0.5
    save_file(tensors, path)
    found = compare(first.folder, second.folder)
    assert found.weights["head.safetensors"] == pytest.approx(0.5)
    path.unlink()
    assert compare(first.folder, second.folder).weights["head.safetensors"] is None


def test_other_data_is_refused(engine: Engine, finetune: Finetune, rows: Path) -> None:
    run = finetune()
    lines = rows.read_text().splitlines()
    rows.write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(RunError, match="the data changed since the run began"):
        engine.rerun(run.folder)


def test_threads_and_algorithms_are_put_back() -> None:
    before = torch.get_num_threads()
    with as_many_threads(before + 1), deterministic():
        assert torch.get_num_threads() == before + 1
        assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == before
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_command_says_so(
    finetune: Finetune, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from typer.testing import CliRunner

    import multigraft_series
    from multigraft.cli.app import build

    run = finetune()
    engine = Engine([multigraft_series], discover=False)
    monkeypatch.setattr("multigraft.api.Engine", lambda plugins: engine)
    told: Any = CliRunner().invoke(
        build(), ["rerun", str(run.folder), "--out", str(tmp_path / "b")]
    )
    assert told.exit_code == 0, told.output
    assert "the same to the bit" in told.output
    told = CliRunner().invoke(build(), ["rerun", str(run.folder), "--json"])
    assert json.loads(told.stdout)["equal"] is True
