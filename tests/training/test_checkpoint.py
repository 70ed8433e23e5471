"""A checkpoint is whole or not there, restores what the optimizer had, and is checked before it is
used."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from multigraft.errors import OutOfMemory, RunError
from multigraft.system.disk import check_space, explaining
from multigraft.system.files import whole_folder, write_json
from multigraft.training.checkpoint import Checkpoints, Progress, folder, integrity


@dataclass
class Training:
    model: nn.Module
    optimizer: torch.optim.Optimizer
    checkpoints: Checkpoints

    def advance(self, seed: int) -> None:
        torch.manual_seed(seed)
        self.optimizer.zero_grad()
        self.model(torch.randn(2, 3, 8, 8)).square().sum().backward()
        self.optimizer.step()


def trained(
    folder: Path, layout: torch.memory_format = torch.contiguous_format, **settings: Any
) -> Training:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2)).to(
        memory_format=layout
    )
    unchanging = settings.get("unchanging", frozenset())
    learning = {name: p for name, p in model.named_parameters() if name not in unchanging}
    optimizer = torch.optim.AdamW(learning.values(), lr=0.01, fused=True)
    checkpoints = Checkpoints(folder, model, optimizer, names=list(learning), **settings)
    training = Training(model, optimizer, checkpoints)
    for step in range(3):
        training.advance(step)
    return training


def equal(first: nn.Module, second: nn.Module) -> bool:
    return all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_next_step_is_the_same_bit_for_bit(layout: torch.memory_format, tmp_path: Path) -> None:
    one = trained(tmp_path, layout)
    progress = Progress(step=3, history=[{"epoch": 1, "step": 3, "metrics": {"loss": 0.1}}])
    one.checkpoints.save(progress)
    one.advance(7)
    other = trained(tmp_path, layout)
    other.advance(99)  # somewhere else entirely
    found = other.checkpoints.load()
    assert found is not None
    assert (found.step, found.history) == (3, progress.history)
    other.advance(7)
    assert equal(one.model, other.model)


def test_weights_that_rest_are_left_out_and_guarded(tmp_path: Path) -> None:
    unchanging = frozenset({"0.weight", "0.bias"})
    one = trained(tmp_path, unchanging=unchanging)
    path = one.checkpoints.save(Progress(step=3))
    assert load_file(path / "model.safetensors").keys() == {"2.weight", "2.bias"}
    again = trained(tmp_path, unchanging=unchanging)
    again.advance(5)
    assert again.checkpoints.load() is not None
    assert equal(one.model, again.model)
    with torch.no_grad():
        again.model[0].weight.mul_(1.5)  # type: ignore[operator,index]
    other = Checkpoints(
        tmp_path, again.model, again.optimizer, names=one.checkpoints.names, unchanging=unchanging
    )
    with pytest.raises(RunError, match="weights that do not learn are others"):
        other.load()


def test_old_ones_go_and_the_newest_complete_one_counts(tmp_path: Path) -> None:
    one = trained(tmp_path, keep=2)
    for step in (5, 10, 15):
        one.checkpoints.save(Progress(step=step))
    (tmp_path / "step-00000020").mkdir()  # begun and never finished
    found = one.checkpoints.load()
    assert found is not None
    assert found.step == 15
    assert sorted(path.name for path in tmp_path.glob("step-*/state.json")) == ["state.json"] * 2


def test_what_a_killed_process_left_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = trained(tmp_path, keep=1)
    one.checkpoints.save(Progress(step=1))
    with monkeypatch.context() as patch:
        # killed while removing
        patch.setattr(shutil, "rmtree", lambda path, ignore_errors=False: None)
        one.checkpoints.save(Progress(step=2))
    (tmp_path / ".best-00000009.new").mkdir()
    (tmp_path / "step-00000001").mkdir()
    (tmp_path / "step-00000001" / "state.json").write_text("{}")
    found = trained(tmp_path, keep=1).checkpoints.load()
    assert found is not None
    assert found.step == 2
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000002"]


def damages(path: Path) -> Iterator[str]:
    """Every file of a checkpoint: cut short, one bit turned, or gone."""
    for file in sorted(path.iterdir()):
        whole = file.read_bytes()
        middle = len(whole) // 2
        changes = {
            "cut": whole[:middle],
            "bit": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "gone": None,
        }
        for name, content in changes.items():
            if content is None:
                file.unlink()
            else:
                file.write_bytes(content)
            yield f"{file.name} {name}"
            file.write_bytes(whole)


def test_any_damage_is_found_and_the_one_before_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = trained(tmp_path)
    one.checkpoints.save(Progress(step=1))
    one.advance(1)
    newest = one.checkpoints.save(Progress(step=2))
    for what in damages(newest):
        if what.startswith("state.json gone"):  # without it there is no checkpoint at all
            continue
        assert integrity.damage(newest) is not None, what
    (newest / "model.safetensors").write_bytes(b"torn")
    found = one.checkpoints.load()
    assert found is not None
    assert found.step == 1
    assert (
        "model.safetensors is not as it was written; going on from what was before it"
        in caplog.text
    )
    assert not newest.exists()


@pytest.mark.parametrize("where", ["_describe", "check_plain"])
def test_memory_that_runs_out_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def fails(*args: Any, **kwargs: Any) -> Any:
        raise MemoryError

    one = trained(tmp_path)
    for step in (1, 2):
        one.checkpoints.save(Progress(step=step))
    with monkeypatch.context() as short:
        short.setattr(integrity, where, fails)
        with pytest.raises(OutOfMemory, match=r"memory ran out \(MemoryError\)"):
            one.checkpoints.load()
    found = one.checkpoints.load()
    assert found is not None
    assert found.step == 2


FOREIGN = {
    "another's list": "[1, 2]",
    "nothing": "null",
    "a number": "7",
    "deep": "[" * 100_000,
    "deep objects": '{"a":' * 900 + "1" + "}" * 900,
    "many digits": '{"a": ' + "9" * 5000 + "}",
    "a name that no file has": '{"\\u0000": {}}',
    "no JSON": "{",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize("name", ["manifest.json", "state.json"])
def test_json_of_somebody_else_is_damage(tmp_path: Path, name: str, content: str) -> None:
    """Whatever a parser or what reads its values makes of it, the checkpoint before it is used."""
    training = trained(tmp_path)
    for step in (1, 2):
        training.checkpoints.keep_best(step)
        training.checkpoints.save(Progress(step=step, best=0.1, best_step=step))
    newest = tmp_path / "step-00000002"
    (newest / name).write_text(content)
    assert integrity.damage(newest) is not None
    loaded = training.checkpoints.load()
    assert loaded is not None
    assert loaded.step == 1


def test_damaged_best_weights_are_made_again(tmp_path: Path) -> None:
    one = trained(tmp_path)
    one.checkpoints.save(Progress(step=1))
    one.checkpoints.keep_best(2)
    one.checkpoints.save(Progress(step=2, best=0.5, best_step=2))
    (tmp_path / "best-00000002" / "model.safetensors").write_bytes(b"torn")
    found = trained(tmp_path).checkpoints.load()
    assert found is not None
    assert found.step == 1
    assert not (tmp_path / "best-00000002").exists()


def test_nothing_intact_is_a_start_from_the_beginning(tmp_path: Path) -> None:
    one = trained(tmp_path)
    path = one.checkpoints.save(Progress(step=1))
    (path / "manifest.json").write_text("[]")
    assert one.checkpoints.load() is None
    assert list(tmp_path.iterdir()) == []


def test_the_best_are_those_of_their_step_also_from_the_disk(tmp_path: Path) -> None:
    one = trained(tmp_path)
    best = {name: value.clone() for name, value in one.model.state_dict().items()}
    one.checkpoints.keep_best(3)
    one.advance(3)
    assert one.checkpoints.load_best(3)
    assert all(torch.equal(value, best[name]) for name, value in one.model.state_dict().items())
    one.advance(4)
    one.checkpoints.save(Progress(step=5, best=1.0, best_step=3))
    fresh = trained(tmp_path)
    fresh.checkpoints.load()
    assert fresh.checkpoints.load_best(3)
    assert all(torch.equal(value, best[name]) for name, value in fresh.model.state_dict().items())
    assert not fresh.checkpoints.load_best(4)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    trained(tmp_path).checkpoints.save(Progress(step=1))
    other = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(other.parameters())
    with pytest.raises(RunError, match="does not fit the run"):
        Checkpoints(tmp_path, other, optimizer, names=["weight", "bias"]).load()


def test_nothing_is_pickled(tmp_path: Path) -> None:
    path = trained(tmp_path).checkpoints.save(Progress(step=1))
    assert {file.suffix for file in path.iterdir()} == {".safetensors", ".json"}


def test_saving_keeps_to_its_share_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = trained(tmp_path).checkpoints
    monkeypatch.setattr(folder, "SPEED", checkpoints.size() / 3.0)  # a disk that takes 3 seconds
    assert not checkpoints.pays(3.0 * 49 - 1)
    assert checkpoints.pays(3.0 * 49 + 1)
    checkpoints.save(Progress(step=1))
    assert checkpoints.pays(60.0)  # it was measured, and is much faster
    assert checkpoints.due(60.0, pause=True)
    assert not checkpoints.due(60.0, pause=False)


def test_a_full_disk_leaves_the_old_checkpoint_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = trained(tmp_path / "checkpoints").checkpoints
    checkpoints.save(Progress(step=1))

    def full(tensors: Any, path: Path) -> None:
        from safetensors import SafetensorError

        path.write_bytes(b"half")
        raise SafetensorError(
            "Error while serializing: I/O error: No space left on device (os error 28)"
        )

    with (
        monkeypatch.context() as patch,
        pytest.raises(RunError, match=r"disk is full.*multigraft resume"),
    ):
        patch.setattr(folder, "save_file", full)
        with explaining(tmp_path):
            checkpoints.save(Progress(step=2))
    found = checkpoints.load()
    assert found is not None
    assert found.step == 1
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001"]


def test_space_is_asked_for_before_training(tmp_path: Path) -> None:
    checkpoints = trained(tmp_path).checkpoints
    check_space(tmp_path, checkpoints.needed())
    with pytest.raises(RunError, match=r"MB free, .* need about 1,000,000,000 MB; make room"):
        check_space(tmp_path, 10**15)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (errno.EACCES, "may not be written; allow it"),
        (errno.EROFS, "may not be written; allow it"),
        (errno.ENOSPC, "the disk is full"),
        (errno.EIO, "Input/output error; what was saved before is whole"),
    ],
)
def test_what_a_disk_refuses_is_explained(tmp_path: Path, code: int, told: str) -> None:
    with pytest.raises(RunError, match=told), explaining(tmp_path):
        raise OSError(code, "Input/output error", str(tmp_path / "metrics.jsonl"))


def test_a_folder_that_vanished_is_named_and_other_errors_pass(tmp_path: Path) -> None:
    with (
        pytest.raises(RunError, match="was removed while the run was"),
        explaining(tmp_path / "run"),
    ):
        (tmp_path / "run" / "metrics.jsonl").write_text("")
    with pytest.raises(FileNotFoundError), explaining(tmp_path / "run"):
        (tmp_path / "elsewhere").read_text()


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
    assert json.loads(path.read_text()) == {"a": 1}


def resealed(path: Path, file: str, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change the tensors of a checkpoint as a stranger would: its hashes are right again."""
    tensors = dict(load_file(path / file))
    change(tensors)
    save_file(tensors, path / file)
    integrity.seal(path)


def put(name: str, value: torch.Tensor) -> Callable[[dict[str, torch.Tensor]], object]:
    return lambda tensors: tensors.update({name: value})


STRANGE: dict[str, tuple[str, Callable[[dict[str, torch.Tensor]], object]]] = {
    "a shorter moment": ("optimizer", put("2.weight:exp_avg", torch.zeros(1))),
    "an empty moment": ("optimizer", put("2.weight:exp_avg_sq", torch.zeros(0))),
    "a moment of another shape": ("optimizer", put("2.weight:exp_avg", torch.zeros(144, 2))),
    "a moment as a scalar": ("optimizer", put("2.weight:exp_avg", torch.zeros(()))),
    "a moment of half precision": (
        "optimizer",
        put("2.weight:exp_avg", torch.zeros(2, 144).half()),
    ),
    "a moment of whole numbers": ("optimizer", put("2.weight:exp_avg", torch.zeros(2, 144).long())),
    "one moment missing": ("optimizer", lambda tensors: tensors.pop("2.weight:exp_avg_sq")),
    "steps missing": ("optimizer", lambda tensors: tensors.pop("0.bias:step")),
    "steps as a list": ("optimizer", put("0.bias:step", torch.zeros(144))),
    "steps below zero": ("optimizer", put("0.bias:step", torch.tensor(-5.0))),
    "steps without end": ("optimizer", put("0.bias:step", torch.tensor(float("inf")))),
    "an unknown moment": ("optimizer", put("0.bias:max_exp_avg_sq", torch.zeros(4))),
    "an unknown parameter": ("optimizer", put("9.bias:exp_avg", torch.zeros(4))),
    "a weight of another type": ("model", put("2.bias", torch.zeros(2, dtype=torch.int64))),
    "a weight of another shape": ("model", put("2.bias", torch.zeros(1, 2))),
    "a weight too many": ("model", put("3.bias", torch.zeros(2))),
}


@pytest.mark.parametrize("what", STRANGE)
def test_a_tensor_that_is_not_the_parameter_s_is_refused(what: str, tmp_path: Path) -> None:
    one = trained(tmp_path)
    file, change = STRANGE[what]
    resealed(one.checkpoints.save(Progress(step=3)), f"{file}.safetensors", change)
    again = trained(tmp_path)
    with pytest.raises(RunError, match="this checkpoint does not fit the run"):
        again.checkpoints.load()
    again.advance(7)  # what was refused has changed nothing that a kernel would walk past


def test_strange_best_weights_are_refused(tmp_path: Path) -> None:
    one = trained(tmp_path)
    one.checkpoints.keep_best(3)
    one.checkpoints.save(Progress(step=3, best=0.5, best_step=3))
    best = tmp_path / "best-00000003"
    for value in (torch.zeros(1), torch.zeros(2).double()):
        resealed(best, "model.safetensors", put("2.bias", value))
        again = trained(tmp_path)
        assert again.checkpoints.load() is not None
        with pytest.raises(RunError, match="do not fit the run"):
            again.checkpoints.load_best(3)


@pytest.mark.parametrize(
    "change",
    [
        {"step": -1},
        {"step": "3"},
        {"step": 3.5},
        {"pieces": 0},
        {"pieces": 10**12},
        {"rate_scale": 0},
        {"rate_scale": 1e9},
        {"history": [{"epoch": 1}]},
        {"history": [{"epoch": 1, "step": 3, "metrics": {"loss": "x"}}]},
        {"history": [3]},
        {"history": {}},
        {"rows": None},
        {"best_step": -3},
        {"seconds": -1.0},
    ],
)
def test_a_progress_that_makes_no_sense_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    path = trained(tmp_path).checkpoints.save(Progress(step=3))
    state = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps({**state, **change}))
    integrity.seal(path)
    with pytest.raises(RunError, match="does not fit the run"):
        trained(tmp_path).checkpoints.load()


@pytest.mark.parametrize("text", ["[]", "3", "[" * 100_000, "", '{"step": 3}', "null"])
def test_a_state_that_is_none_is_refused_or_passed_over(text: str, tmp_path: Path) -> None:
    path = trained(tmp_path).checkpoints.save(Progress(step=3))
    (path / "state.json").write_text(text)
    integrity.seal(path)
    with pytest.raises(RunError, match="does not fit the run"):
        trained(tmp_path).checkpoints.load()


@pytest.mark.parametrize(
    "text", ["3", "[" * 100_000, '{"../../x": {}}', '{"/etc/hostname": {}}', '{"a": 3}']
)
def test_a_manifest_of_anything_is_damage(text: str, tmp_path: Path) -> None:
    path = trained(tmp_path).checkpoints.save(Progress(step=3))
    (path / "manifest.json").write_text(text)
    assert integrity.damage(path) is not None
