from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import multigraft_text.segments
from helpers.text_toys import DECODERS, DOCUMENTS, ENCODERS, Grown, relative
from multigraft import MultigraftError
from multigraft.contracts.types import Arrays
from multigraft.data.batching.packing import collate_packs
from multigraft.models.graft import Graft
from multigraft.models.tasks.teacher_forcing import IGNORED
from multigraft_text.causal import CausalLanguageModeling
from multigraft_text.masked import MaskedLanguageModeling
from multigraft_text.segments import PACKABLE, places

RAWS = [
    *DOCUMENTS[:4],
    "Rain.",
    "The fox runs over the hill.",
    *(2 * text for text in DOCUMENTS[:3]),
]
PACKS = ([0, 4, 1, 5, 2, 3, 8, 7], [6], [4, 5, 7])
WINDOWS: dict[str, dict[str, Any]] = {
    "modernbert": {"local_attention": 8},
    "mistral": {"sliding_window": 5},
    "qwen2": {"sliding_window": 5, "use_sliding_window": True, "max_window_layers": 1},
    "qwen3": {"sliding_window": 5, "use_sliding_window": True, "max_window_layers": 1},
}

Batch = dict[str, Tensor]


def tensors(arrays: Arrays) -> Batch:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def packed(rows: Sequence[Arrays], grown: Grown) -> Batch:
    fills = {**grown.reader.fills, "labels": IGNORED}
    return tensors(collate_packs([[rows[number] for number in pack] for pack in PACKS], fills))


def read(grown: Grown) -> list[Arrays]:
    return [grown.reader.read(raw) for raw in RAWS]


def alone(row: Arrays) -> Batch:
    return {name: torch.from_numpy(array)[None] for name, array in row.items()}


@torch.no_grad()
def assert_rows_are_apart(grown: Grown) -> None:
    rows = read(grown)
    batch = packed(rows, grown)
    # longer than the model's positions
    assert batch["segments"].shape[1] > 140 > grown.spec["max_length"]
    features = grown.module(batch)
    assert torch.equal(features.mask, batch["segments"] > 0)
    for at, pack in enumerate(PACKS):
        for segment, number in enumerate(pack, start=1):
            expected = grown.module(alone(rows[number])).sequence[0]
            found = features.sequence[at][batch["segments"][at] == segment]
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_joined_rows_give_what_they_give_alone(grown: Grown) -> None:
    assert_rows_are_apart(grown)


@pytest.mark.parametrize("kind", [*ENCODERS, *DECODERS])
def test_relatives_keep_rows_apart_too(
    kind: str, bert: Grown, gpt: Grown, tmp_path: Path, reopen: Callable[..., Grown]
) -> None:
    grown = bert if kind in ENCODERS else gpt
    relative(kind, grown, tmp_path)
    assert_rows_are_apart(reopen(grown.family, tmp_path))


@pytest.mark.parametrize("kind", WINDOWS)
def test_windows_stay_windows(
    kind: str, bert: Grown, gpt: Grown, tmp_path: Path, reopen: Callable[..., Grown]
) -> None:
    grown = bert if kind in ENCODERS else gpt
    relative(kind, grown, tmp_path, **WINDOWS[kind])
    opened = reopen(grown.family, tmp_path)
    assert_rows_are_apart(opened)
    rows = read(opened)
    with torch.no_grad():
        narrow = opened.module(alone(rows[0])).sequence
        opened.module.model.config.sliding_window = 100
        for layer in opened.module.blocks[1:]:
            for module in layer.modules():
                if getattr(module, "sliding_window", None):
                    module.sliding_window = 100
        wide = opened.module(alone(rows[0])).sequence
    assert not torch.allclose(narrow, wide, atol=1e-4)  # the window was narrow enough to matter


def test_every_model_type_was_tried() -> None:
    assert set(PACKABLE) == {*ENCODERS, *DECODERS}


def test_attention_is_the_fused_one(grown: Grown, monkeypatch: pytest.MonkeyPatch) -> None:
    masks = []
    fused = torch.nn.functional.scaled_dot_product_attention

    def watched(*args: Any, attn_mask: Any, **settings: Any) -> Tensor:
        masks.append(attn_mask)
        return fused(*args, attn_mask=attn_mask, **settings)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", watched)
    batch = packed(read(grown), grown)
    grown.module(batch)
    length = batch["segments"].shape[1]
    assert [(mask.dtype, mask.shape) for mask in masks] == [
        (torch.bool, (3, 1, length, length))
    ] * 2


def test_places_begin_again_in_every_row() -> None:
    segments = torch.tensor([[1, 2, 2, 2, 3, 3, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1, 1, 1]])
    assert places(segments).tolist() == [[0, 0, 1, 2, 0, 1, 0, 0, 0], list(range(9))]


def gradients(graft: Graft) -> dict[str, Tensor]:
    found = {name: p.grad.clone() for name, p in graft.named_parameters() if p.grad is not None}
    graft.zero_grad()
    return found


def assert_training_is_the_same(objective: Any, grown: Grown, rows: Sequence[Arrays]) -> None:
    """``rows`` are prepared; every pack's loss and the whole gradient are those of its rows."""
    graft = Graft(grown.module, objective.head()).eval()
    torch.manual_seed(1)
    for parameter in graft.head.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    singles = [objective.loss(graft(batch), batch) for batch in map(alone, rows)]
    order = [number for pack in PACKS for number in pack]
    weight = sum(singles[number].weight.sum() for number in order)
    (sum(singles[number].total.sum() for number in order) / weight).backward()
    expected = gradients(graft)
    batch = packed(rows, grown)
    loss = objective.loss(graft(batch), batch)
    for at, pack in enumerate(PACKS):
        torch.testing.assert_close(loss.total[at], sum(singles[number].total[0] for number in pack))
        assert loss.weight[at] == sum(singles[number].weight[0] for number in pack)
    loss.mean().backward()
    found = gradients(graft)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-5, msg=name)


def test_a_joined_step_of_a_gpt_is_that_of_its_rows(gpt: Grown) -> None:
    assert_training_is_the_same(CausalLanguageModeling(gpt.brief()), gpt, read(gpt))


def test_a_joined_step_of_a_bert_is_that_of_its_rows(bert: Grown) -> None:
    objective = MaskedLanguageModeling(bert.brief(mask_share=0.3))
    rng = np.random.default_rng(0)
    rows = [
        {name: array[0] for name, array in objective.prepare(single, rng).items()}
        for single in ({name: array[None] for name, array in row.items()} for row in read(bert))
    ]
    assert_training_is_the_same(objective, bert, rows)


def test_masking_spares_padding_and_no_row(bert: Grown) -> None:
    objective = MaskedLanguageModeling(bert.brief(mask_share=0.01))
    arrays = {name: tensor.numpy() for name, tensor in packed(read(bert), bert).items()}
    for seed in range(20):
        prepared = objective.prepare(arrays, np.random.default_rng(seed))
        chosen = prepared["labels"] != IGNORED
        assert not chosen[arrays["segments"] == 0].any()
        assert not np.isin(arrays["input_ids"][chosen], objective.masking.special).any()
        assert np.array_equal(prepared["segments"], arrays["segments"])
        for at, pack in enumerate(PACKS):
            hidden = np.bincount(arrays["segments"][at][chosen[at]], minlength=len(pack) + 1)
            assert (hidden[1:] >= 1).all()


def test_only_models_that_keep_rows_apart_are_packed(
    bert: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MaskedLanguageModeling(bert.brief(mask_share=0.15)).packs
    monkeypatch.setattr(multigraft_text.segments, "PACKABLE", ("gpt2",))
    assert not MaskedLanguageModeling(bert.brief(mask_share=0.15)).packs
    with pytest.raises(
        MultigraftError, match=r"a 'bert' with 'sdpa' attention cannot.*one of gpt2 with"
    ):
        bert.module(packed(read(bert), bert))
