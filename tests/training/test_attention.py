"""Attention in blocks: the numbers of attention written out; torch's own where it does not fit."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from multigraft.training import attention
from multigraft.training.attention import fast_attention
from multigraft.training.dropout import fast_dropout

ROWS, HEADS, QUERIES, KEYS, WIDTH = 5, 3, 7, 9, 4
KEEP = 0.75
Masks = Callable[[], Tensor | None]


def padding() -> Tensor:
    """[B, 1, 1, S]: the last keys of some rows are padding."""
    real = torch.arange(KEYS) < torch.tensor([9, 4, 9, 1, 6])[:, None]
    return real[:, None, None]


def numbers() -> Tensor:
    """[heads, T, S]: a bias of each head's own, as relative positions give."""
    return torch.randn(HEADS, QUERIES, KEYS, generator=torch.Generator().manual_seed(3))


def tensors(*, learns: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(ROWS, length, HEADS, WIDTH, generator=generator)
        .transpose(1, 2)
        .requires_grad_(learns)
        for length in (QUERIES, KEYS, KEYS)
    )
    return query, key, value


def attend(query: Tensor, key: Tensor, value: Tensor, **given: object) -> Tensor:
    torch.manual_seed(1)
    found: Tensor = F.scaled_dot_product_attention(query, key, value, dropout_p=1 - KEEP, **given)  # type: ignore[arg-type]
    return found


def written_out(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, kept: Tensor
) -> Tensor:
    scores = query @ key.transpose(-1, -2) / math.sqrt(WIDTH)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype is torch.bool else scores + mask
    return scores.softmax(-1) * kept / KEEP @ value


@pytest.mark.parametrize(
    "block", [1, 2 * HEADS * QUERIES * KEYS, 2**19], ids=["row", "two rows", "batch"]
)
@pytest.mark.parametrize(
    "masks", [padding, numbers, lambda: None], ids=["padding", "numbers", "nothing"]
)
def test_results_and_gradients_are_those_of_attention_written_out(
    masks: Masks, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "BLOCK", block)
    mask, (query, key, value) = masks(), tensors()
    with fast_attention():
        unit = torch.eye(KEYS).expand(ROWS, HEADS, KEYS, KEYS)
        # each weight by itself, so its coin shows
        kept = attend(query, key, unit, attn_mask=mask) > 0
        found = attend(query, key, value, attn_mask=mask)
    wanted = written_out(query, key, value, mask, kept)
    torch.testing.assert_close(found, wanted)
    weight = torch.randn(wanted.shape)
    ours, theirs = (
        torch.autograd.grad((each * weight).sum(), (query, key, value)) for each in (found, wanted)
    )
    torch.testing.assert_close(ours, theirs)
    dropped = (
        1 - kept[masks().expand(kept.shape)].float().mean()
        if masks is padding
        else 1 - kept.float().mean()
    )
    assert dropped.item() == pytest.approx(1 - KEEP, abs=0.06)


def test_a_causal_query_sees_no_later_key() -> None:
    query, _, _ = tensors()
    with fast_attention():
        unit = torch.eye(QUERIES).expand(ROWS, HEADS, QUERIES, QUERIES)
        weights = attend(query, query, unit, is_causal=True)
    assert not weights.triu(1).any()
    assert weights.tril().any()


def test_a_mask_beside_a_causal_one_is_refused_as_torch_does() -> None:
    with fast_attention(), pytest.raises(RuntimeError, match="is_causal"):
        attend(*tensors(), attn_mask=padding(), is_causal=True)


def test_the_scale_may_be_given() -> None:
    query, key, value = tensors()
    with fast_attention():
        torch.testing.assert_close(
            attend(query, key, value, scale=0.5), attend(query * 0.5 * math.sqrt(WIDTH), key, value)
        )


def test_torchs_seed_decides() -> None:
    with fast_attention():
        first, again = attend(*tensors()), attend(*tensors())
        other = F.scaled_dot_product_attention(*tensors(), dropout_p=1 - KEEP)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_recomputation_draws_the_same() -> None:
    from torch.utils.checkpoint import checkpoint

    with fast_attention():
        plain, again = tensors(), tensors()
        attend(*plain).square().sum().backward()
        checkpoint(attend, *again, use_reentrant=False).square().sum().backward()
    for one, other in zip(plain, again, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_bf16_is_computed_in_fp32_under_autocast_too() -> None:
    query, key, value = tensors()
    with fast_attention():
        wanted = attend(
            *(each.bfloat16().float() for each in (query, key, value)), attn_mask=numbers()
        )
        with torch.autocast("cpu", torch.bfloat16):
            found = attend(*(each.bfloat16() for each in (query, key, value)), attn_mask=numbers())
    assert found.dtype is torch.bfloat16
    assert torch.equal(found, wanted.bfloat16())
    weight = torch.randn(wanted.shape)
    ours = torch.autograd.grad((found.float() * weight).sum(), (query, key, value))
    theirs = torch.autograd.grad((wanted * weight.bfloat16().float()).sum(), (query, key, value))
    torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0.02)


def dead() -> Tensor:
    """The first query has no key."""
    mask = torch.ones(QUERIES, KEYS, dtype=torch.bool)
    mask[0] = False
    return mask


@pytest.mark.parametrize(
    "asked",
    [
        lambda: F.scaled_dot_product_attention(*tensors()),
        lambda: attend(*tensors(), attn_mask=dead()),
        lambda: attend(*tensors(), attn_mask=numbers().requires_grad_()),
        lambda: attend(*(each.double() for each in tensors())),
        lambda: F.scaled_dot_product_attention(*tensors(), dropout_p=1.0),
        lambda: attend(*(each[0] for each in tensors())),
        lambda: attend(tensors()[0], *(each[:, :1] for each in tensors()[1:]), enable_gqa=True),
    ],
    ids=[
        "no dropout",
        "no keys",
        "a mask that learns",
        "double",
        "all dropped",
        "three axes",
        "shared heads",
    ],
)
def test_what_does_not_fit_is_torchs(asked: Callable[[], Tensor]) -> None:
    torch.manual_seed(1)
    before = asked()
    with fast_attention():
        torch.manual_seed(1)
        within = asked()
    assert torch.equal(before, within)


def test_torch_is_left_as_it_was() -> None:
    theirs = F.scaled_dot_product_attention
    before = attend(*tensors())
    with pytest.raises(RuntimeError, match="stop"), fast_attention():
        assert not torch.equal(before, attend(*tensors()))
        raise RuntimeError("stop")
    assert F.scaled_dot_product_attention is theirs
    assert torch.equal(before, attend(*tensors()))


def test_it_goes_together_with_fast_dropout() -> None:
    query, key, value = tensors()
    with fast_dropout(), fast_attention():
        assert attend(query, key, value).isfinite().all()
