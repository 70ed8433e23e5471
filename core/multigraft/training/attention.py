"""Attention with dropout on a processor, computed in blocks that stay in its cache."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.amp import custom_bwd, custom_fwd
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from multigraft.training.dropout import Coins, drawable

BLOCK = 2**19
"""Weights (rows x heads x queries x keys) computed at once: 2 MB."""
FORMATS = frozenset({torch.float32, torch.bfloat16})
"""bf16 is computed in fp32, as torch does where something is dropped."""


@contextmanager
def fast_attention() -> Iterator[None]:
    """While the block runs, `F.scaled_dot_product_attention` with dropout takes about half its
    time.

    On a processor torch has a fused kernel for attention without dropout alone. With it, which is
    how transformers train, each operation passes over the weights of the whole batch, [B, heads, T,
    T]. Here some rows of the batch at a time go through all operations, and one array of that size
    is kept for the gradient instead of three. Masks are drawn as in `dropout.fast_dropout`. What
    does not fit (see `_fits`) is torch's, as before.
    """
    theirs = F.scaled_dot_product_attention
    F.scaled_dot_product_attention = _instead_of(theirs)
    try:
        yield
    finally:
        F.scaled_dot_product_attention = theirs


def _instead_of(theirs: Callable[..., Tensor]) -> Any:
    """Ours where it fits, else theirs; parameters are torch's."""

    def attend(  # noqa: PLR0917 (the callers' way to call torch's)
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        # torch refuses both together
        plain = not enable_gqa and not (is_causal and attn_mask is not None)
        if plain and _fits(query, key, value, attn_mask, dropout_p):
            mask = _causal(query, key) if is_causal else attn_mask
            bias = None if mask is None else _bias(mask)
            if bias is None or not _leaves_nothing(bias):
                factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
                sides = (query.float(), key.float(), value.float())
                attended: Tensor = _Attention.apply(*sides, bias, 1 - dropout_p, factor)
                return attended.to(query.dtype)
        return theirs(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )

    return attend


def _fits(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float) -> bool:
    """Whether this is a training on a processor, with dropout, and a mask that does not learn."""
    if not (torch.is_grad_enabled() and drawable(1 - dropout)) or torch.compiler.is_compiling():
        return False
    if mask is not None and (mask.requires_grad or mask.dtype not in {torch.bool, *FORMATS}):
        return False
    return all(
        each.ndim == 4
        and each.shape[:2] == query.shape[:2]
        and each.dtype in FORMATS
        and each.device.type == "cpu"
        for each in (query, key, value)
    )


def _causal(query: Tensor, key: Tensor) -> Tensor:
    return torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()


def _bias(mask: Tensor) -> Tensor:
    """A mask of up to four axes, booleans or numbers, as four axes of what is added to scores."""
    if mask.dtype is torch.bool:
        mask = torch.zeros(mask.shape).masked_fill_(~mask, -math.inf)
    return mask.float().view(*[1] * (4 - mask.ndim), *mask.shape)


def _leaves_nothing(bias: Tensor) -> bool:
    """Whether a query has no key at all, for which torch gives zeros."""
    return bool(bias.amax(-1).isneginf().any())


class _Attention(torch.autograd.Function):
    """softmax(scale * Q K' + bias), dropped out, times V: Vaswani et al. 2017, equation 1.

    The gradient needs the weights P and which of them were kept. Both are in one array: P, negated
    where it was dropped. The row sums of P * dP are those of the output times its gradient (Dao et
    al. 2022, B.2).
    """

    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.float32)  # and no autocast within
    def forward(  # noqa: PLR0917 (torch knows no keywords here)
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        bias: Tensor | None,
        keep: float,
        scale: float,
    ) -> Tensor:
        """[B, heads, T, D], [B, heads, S, D], [B, heads, S, E] -> [B, heads, T, E]."""
        rows, heads, queries, _ = query.shape
        coins = Coins(keep)
        signed = query.new_empty(rows, heads, queries, key.shape[2])
        out = _beside(rows, heads, queries, value.shape[3])
        for block in _blocks(signed):
            scores = torch.bmm(_flat(query[block]), _flat(key[block]).transpose(1, 2)).mul_(scale)
            scores = scores.view(signed[block].shape)
            if bias is not None:
                scores += bias if len(bias) == 1 else bias[block]
            weights = torch.softmax(scores, -1)
            signed[block] = coins.toss(weights.shape).view(torch.int8).mul_(2).sub_(1)
            signed[block] *= weights  # torch.where would take one element at a time
            product = torch.bmm(_flat(signed[block]).relu(), _flat(value[block])).mul_(1 / keep)
            out[block] = product.view(out[block].shape)
        ctx.save_for_backward(query, key, value, signed, out)
        ctx.keep, ctx.scale = keep, scale
        return out

    @staticmethod
    @once_differentiable
    @custom_bwd(device_type="cpu")
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Of query, key and value."""
        query, key, value, signed, out = ctx.saved_tensors
        found = [_beside(*each.shape) for each in (query, key, value)]
        sums = (gradient * out).sum(-1, keepdim=True)
        for block in _blocks(signed):
            ours, weights = _flat(gradient[block]) * (1 / ctx.keep), _flat(signed[block])
            kept = weights.relu()
            of_value = torch.bmm(kept.transpose(1, 2), ours)
            of_scores = kept.mul_(torch.bmm(ours, _flat(value[block]).transpose(1, 2)))
            of_scores.addcmul_(weights.abs(), _flat(sums[block]), value=-1).mul_(ctx.scale)
            of_query = torch.bmm(of_scores, _flat(key[block]))
            of_key = torch.bmm(of_scores.transpose(1, 2), _flat(query[block]))
            for whole, piece in zip(found, (of_query, of_key, of_value), strict=True):
                whole[block] = piece.view(whole[block].shape)
        return (*found, None, None, None)


def _blocks(weights: Tensor) -> Iterator[slice]:
    """Rows of a batch that are computed at once."""
    size = max(1, BLOCK // max(1, weights[0].numel()))
    return (slice(start, start + size) for start in range(0, len(weights), size))


def _flat(block: Tensor) -> Tensor:
    """[b, heads, T, D] -> [b * heads, T, D]; a view where b is 1."""
    return block[0] if len(block) == 1 else block.reshape(-1, *block.shape[2:])


def _beside(rows: int, heads: int, length: int, width: int) -> Tensor:
    """Room for [B, heads, T, D], heads beside each other, as the layers around want it."""
    return torch.empty(rows, length, heads, width).transpose(1, 2)
