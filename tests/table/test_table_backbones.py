"""The networks over columns, beside torch's own attention and what the papers write."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import multigraft_table as table
from multigraft import Backbone, Origin
from multigraft.contracts.readers import collate
from multigraft.errors import WeightsError
from multigraft_table.ft_transformer import Layer
from multigraft_table.layout import TransformerLayout
from multigraft_table.samples import good
from multigraft_table.specs import fit
from multigraft_table.tokens import CategoryTokens, NumberTokens, PeriodicTokens

FAMILIES = {each.name: each for each in table.register_backbones()}


def grown(family: Backbone, path: Path | None = None, **config: Any) -> tuple[Any, dict[str, Any]]:
    """A tiny network, and its reader's spec."""
    held = {**family.sizes["tiny"].config, **config}
    origin = Origin(backbone=f"{family.name}-tiny", size="tiny", config=held, path=path)
    rows = good(np.random.default_rng(0), 30, Path())
    spec = fit(rows, dict(family.reader(origin, {})))
    torch.manual_seed(0)
    return family.build(origin, spec), spec


def batch(spec: dict[str, Any], rows: list[Any]) -> dict[str, Tensor]:
    read = table.TABLE.reader(spec)
    arrays = collate([read.read(row) for row in rows], read.fills)
    return {name: torch.from_numpy(each) for name, each in arrays.items()}


def test_a_layer_attends_as_torchs_own_does() -> None:
    torch.manual_seed(0)
    layer = Layer(TransformerLayout(width=12, depth=1, heads=3), first=True).eval()
    own = nn.MultiheadAttention(12, 3, batch_first=True).eval()
    own.load_state_dict(
        {
            "in_proj_weight": layer.project.weight,
            "in_proj_bias": layer.project.bias,
            "out_proj.weight": layer.output.weight,
            "out_proj.bias": layer.output.bias,
        }
    )
    hidden = torch.randn(2, 5, 12)
    torch.testing.assert_close(layer._attend(hidden), own(hidden, hidden, hidden)[0])


def test_a_number_is_weight_times_it_plus_bias() -> None:
    tokens = NumberTokens(2, 3)
    with torch.no_grad():
        tokens.missing.fill_(7)
    numbers, missing = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    found = tokens(numbers, missing)[0]
    torch.testing.assert_close(found[0], 2 * tokens.weight[0] + tokens.bias[0])
    torch.testing.assert_close(found[1], tokens.bias[1] + 7)


def test_a_periodic_number_is_sines_and_cosines() -> None:
    tokens = PeriodicTokens(1, 4, 3, sigma=1.0)
    found = tokens(torch.tensor([[0.3]]), torch.zeros(1, 1))[0, 0]
    angles = [2 * math.pi * 0.3 * float(each) for each in tokens.frequencies[0].detach()]
    waves = torch.tensor([*map(math.cos, angles), *map(math.sin, angles)])
    torch.testing.assert_close(found, tokens.linear(waves).relu())


def test_what_training_never_met_adds_nothing_to_its_columns_bias() -> None:
    tokens = CategoryTokens((4, 5), 3)
    found = tokens(torch.tensor([[0, 1], [1, 0], [2, 4]]))
    torch.testing.assert_close(found[:2], tokens.bias.expand(2, -1, -1))
    torch.testing.assert_close(found[2, 1], tokens.embedding.weight[8] + tokens.bias[1])


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_a_cell_more_tells_rows_apart(name: str) -> None:
    module, spec = grown(FAMILIES[name])
    rows = [{"age": 30}, {"age": 31}, {"age": 30, "city": "Lima"}, {"age": 30, "city": "Lagos"}]
    with torch.no_grad():
        found = module.eval()(batch(spec, rows)).pooled
    assert found.shape == (4, 32)
    assert len({tuple(row.tolist()) for row in found}) == 4


def test_the_transformers_first_position_is_pooled() -> None:
    module, spec = grown(FAMILIES["ft-transformer"])
    with torch.no_grad():
        found = module.eval()(batch(spec, [{"age": 30}]))
    assert found.sequence.shape == (1, 1 + 5, 32), "[CLS], age, day, city, month, weekday"
    torch.testing.assert_close(found.pooled, found.sequence[:, 0].relu())


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_a_saved_folder_says_how_rows_are_read(name: str, tmp_path: Path) -> None:
    module, spec = grown(FAMILIES[name], dropout=0.3)
    module.save(tmp_path, head=nn.Linear(32, 2), labels=("young", "old"))
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["labels"] == ["young", "old"]
    assert {"head.weight", "head.bias"} < load_file(tmp_path / "model.safetensors").keys()
    again, found = grown(FAMILIES[name], tmp_path)
    assert found == spec
    for key, value in module.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_weights_that_are_none_are_refused(name: str, tmp_path: Path) -> None:
    family = FAMILIES[name]
    module, _ = grown(family)
    with pytest.raises(WeightsError, match=r"config\.json cannot be read"):
        grown(family, tmp_path)
    module.save(tmp_path, head=None, labels=())
    config = json.loads((tmp_path / "config.json").read_text())
    for wrong in ({"width": -1}, {"model_type": "bert"}, {"reader": 3}, {"depth": 10**9}):
        (tmp_path / "config.json").write_text(json.dumps({**config, **wrong}))
        with pytest.raises(WeightsError):
            grown(family, tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"none")
    with pytest.raises(WeightsError, match="cannot be read as"):
        grown(family, tmp_path)
    with pytest.raises(WeightsError, match="is no folder"):
        grown(family, tmp_path / "model.safetensors")


def test_a_width_is_divided_by_its_heads() -> None:
    with pytest.raises(WeightsError, match="a width of 33 is not divided by 4 heads"):
        grown(FAMILIES["ft-transformer"], width=33)
