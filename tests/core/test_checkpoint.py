"""A checkpoint is whole or not there, and restores what the optimizer had."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from multigraft import checkpoint
from multigraft.checkpoint import Progress
from multigraft.errors import RunError
from multigraft.files import whole_folder, write_json


def trained(layout: torch.memory_format) -> tuple[nn.Module, torch.optim.Optimizer, list[str]]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2)).to(memory_format=layout)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)
    for step in range(3):
        advance(model, optimizer, step)
    return model, optimizer, [name for name, _ in model.named_parameters()]


def advance(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    torch.manual_seed(seed)
    optimizer.zero_grad()
    model(torch.randn(2, 3, 8, 8)).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_next_step_is_the_same_bit_for_bit(layout: torch.memory_format, tmp_path: Path) -> None:
    model, optimizer, names = trained(layout)
    progress = Progress(step=3, best=0.5, history=[{"epoch": 1, "step": 3, "metrics": {"loss": 0.1}}])
    path = checkpoint.save(tmp_path, model, optimizer, names, progress)
    advance(model, optimizer, 7)
    other, fresh, _ = trained(layout)
    advance(other, fresh, 99)  # somewhere else entirely
    assert checkpoint.load(path, other, fresh, names) == progress
    advance(other, fresh, 7)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_the_newest_complete_one_counts(tmp_path: Path) -> None:
    model, optimizer, names = trained(torch.contiguous_format)
    for step in (5, 10, 15):
        checkpoint.save(tmp_path, model, optimizer, names, Progress(step=step))
    (tmp_path / "step-00000020").mkdir()  # begun and never finished
    latest = checkpoint.latest(tmp_path)
    assert latest is not None
    assert latest.name == "step-00000015"
    checkpoint.prune(tmp_path, 2)
    assert [path.name for path in sorted(tmp_path.glob("step-*"))][:2] == ["step-00000010", "step-00000015"]


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    model, optimizer, names = trained(torch.contiguous_format)
    path = checkpoint.save(tmp_path, model, optimizer, names, Progress(step=1))
    other = nn.Linear(2, 2)
    with pytest.raises(RunError, match="does not fit the run"):
        checkpoint.load(path, other, torch.optim.AdamW(other.parameters()), ["weight", "bias"])


def test_nothing_is_pickled(tmp_path: Path) -> None:
    model, optimizer, names = trained(torch.contiguous_format)
    path = checkpoint.save(tmp_path, model, optimizer, names, Progress(step=1))
    assert {file.suffix for file in path.iterdir()} == {".safetensors", ".json"}


def test_a_folder_that_fails_halfway_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with whole_folder(target) as folder:
        (folder / "a").write_text("old")
    with pytest.raises(RuntimeError), whole_folder(target) as folder:
        (folder / "a").write_text("new")
        raise RuntimeError("the disk is full")
    assert (target / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_json_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert path.read_text() == '{\n  "a": 1\n}\n'
