"""What every backbone promises. Registering one puts it under these tests."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from contracts.conftest import CATALOG, Subject
from multigraft.features import BackboneModule, Features
from multigraft.graft import Graft
from multigraft.strategies import Plan, block_of, merge_adapters
from multigraft.tasks.classification import LinearHead

TOLERANCE = {"atol": 2e-5, "rtol": 1e-4}


def pooled(module: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.inference_mode():
        features: Features = module(batch)
    return features.pooled


def test_the_reader_survives_json(subject: Subject) -> None:
    again = subject.modality.reader(json.loads(json.dumps(subject.reader.spec())))
    for raw in subject.raws[:4]:
        first, second = subject.reader.read(raw), again.read(raw)
        assert first.keys() == second.keys()
        assert all(np.array_equal(first[name], second[name]) for name in first)


def test_features_have_the_promised_shapes(subject: Subject) -> None:
    assert isinstance(subject.module, BackboneModule)
    with torch.inference_mode():
        features = subject.module(subject.batch(0, 1, 2))
    assert features.pooled.shape == (3, subject.module.width)
    assert features.pooled.dtype == torch.float32
    if features.sequence is not None:
        assert features.sequence.shape[0] == 3
        assert features.sequence.shape[2] == subject.module.width
        if features.mask is not None:
            assert features.mask.shape == features.sequence.shape[:2]
            assert features.mask.dtype == torch.bool


def test_a_padded_row_gives_what_it_gives_alone(subject: Subject) -> None:
    together = pooled(subject.module, subject.batch(0, 1, 2, 3, 4))
    for index in range(5):
        alone = pooled(subject.module, subject.batch(index))[0]
        scale = alone.abs().max()  # untrained batch norms let some networks' features grow large
        assert torch.allclose(together[index] / scale, alone / scale, **TOLERANCE), index


def test_rows_differ(subject: Subject) -> None:
    together = pooled(subject.module, subject.batch(0, 1))
    assert not torch.allclose(together[0], together[1], **TOLERANCE)


def test_blocks_are_parts_of_the_module_in_order(subject: Subject) -> None:
    inside = {id(module): place for place, module in enumerate(subject.module.modules())}
    places = [inside[id(block)] for block in subject.module.blocks]
    assert len(places) >= 2
    assert places == sorted(places)
    depth = len(subject.module.blocks)
    blocks = block_of(Graft(subject.module, nn.Identity()))
    assert set(range(depth)) <= set(blocks.values())
    outside = [name for name, block in blocks.items() if block == depth]
    assert len(outside) <= 8, f"most parameters should be in blocks; outside: {outside}"


def test_a_gradient_reaches_every_block(subject: Subject) -> None:
    module = subject.again().train()
    module(subject.batch(0, 1, 2, 3)).pooled.square().sum().backward()
    for index, block in enumerate(module.blocks):
        grads = [p.grad for p in block.parameters() if p.grad is not None]
        assert grads, f"block {index} got no gradient"


def test_saved_weights_are_read_back_bit_for_bit(subject: Subject, tmp_path: Path) -> None:
    head = nn.Linear(subject.module.width, 3, bias=subject.module.head_bias)
    for name, given, labels in (("plain", None, ()), ("classifier", head, ("a", "b", "c"))):
        folder = tmp_path / name
        folder.mkdir()
        subject.module.save(folder, head=given, labels=labels)
        assert not list(folder.glob("*.bin")) + list(folder.glob("*.pkl"))
        again = subject.again(folder)
        ours, theirs = subject.module.state_dict(), again.state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
        assert torch.equal(pooled(subject.module, subject.batch(0, 1)), pooled(again, subject.batch(0, 1)))


def test_saved_weights_know_their_reader(subject: Subject, tmp_path: Path) -> None:
    subject.module.save(tmp_path, head=None, labels=())
    spec = subject.family.reader(replace(subject.origin, path=tmp_path), {})
    if subject.modality.fit is not None:
        spec = subject.modality.fit(iter(()), spec)  # it is complete: nothing is left to learn
    again = subject.modality.reader(spec)
    first, second = subject.reader.read(subject.raws[0]), again.read(subject.raws[0])
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("strategy", [strategy.name for strategy in CATALOG.strategies()])
def test_every_strategy_takes_a_step(subject: Subject, strategy: str) -> None:
    graft = Graft(
        subject.again(), LinearHead(subject.module.width, 2, bias=subject.module.head_bias, dropout=0.0)
    )
    record = CATALOG.strategy(strategy)
    plan = record.plan(Plan.start(graft), {name: option.default for name, option in record.options.items()})
    plan.activate(1.0)
    batch = subject.batch(0, 1, 2, 3)
    before = {name: value.clone() for name, value in graft.named_parameters()}
    groups = plan.groups()
    optimizer = torch.optim.Adam([{"params": list(group.parameters)} for group in groups], lr=1e-3)
    for _ in range(2):  # LoRA's first factor moves only once the second is no longer zero
        optimizer.zero_grad()
        nn.functional.cross_entropy(graft(batch)["logits"], torch.tensor([0, 1, 0, 1])).backward()
        optimizer.step()
    moved = {name for name, value in graft.named_parameters() if not torch.equal(value, before[name])}
    learning = {name for group in groups for name in group.names}
    assert moved <= learning
    assert "head.linear.weight" in moved
    if strategy not in ("linear-probe",):
        assert any(name.startswith("backbone") for name in moved)
    merge_adapters(graft)
    assert torch.isfinite(graft.eval()(batch)["logits"]).all()
