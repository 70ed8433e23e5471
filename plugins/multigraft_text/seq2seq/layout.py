"""Where the parts of a transformers encoder-decoder are: its layers, and what of each reads the
source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from multigraft.errors import WeightsError


@dataclass(frozen=True)
class CrossAttention:
    """What a decoder layer computes of the source once: keys and values of so many heads."""

    key: nn.Linear
    value: nn.Linear
    heads: int

    @property
    def width(self) -> int:
        """The width of one head."""
        return self.key.out_features // self.heads


@dataclass(frozen=True)
class Layout:
    """The layers of both stacks, and the cross-attention of each of the decoder's."""

    encoder: Sequence[nn.Module]
    decoder: Sequence[nn.Module]
    cross: Sequence[CrossAttention]


def layout_of(model: Any) -> Layout:
    """Find the parts of a model. Raises WeightsError naming the one that is not found."""
    encoder, decoder = (_layers(model, side) for side in ("encoder", "decoder"))
    if not isinstance(getattr(model, "lm_head", None), nn.Module):
        raise _missing(model, "an lm_head")
    return Layout(encoder, decoder, [_cross(model, layer) for layer in decoder])


def order_layers(model: Any) -> None:
    """Put the layers behind all else of their stack: BART registers a norm behind them that acts
    before."""
    for stack in (model.get_encoder(), model.get_decoder()):
        if "layers" in stack._modules:
            stack._modules["layers"] = stack._modules.pop("layers")


def _layers(model: Any, side: str) -> list[nn.Module]:
    find = getattr(model, f"get_{side}", None)
    stack = find() if callable(find) else None
    for name in ("block", "layers"):
        found = getattr(stack, name, None)
        if isinstance(found, nn.ModuleList) and len(found):
            return list(found)
    raise _missing(model, f"the layers of its {side}")


def _cross(model: Any, layer: Any) -> CrossAttention:
    attention = getattr(layer, "encoder_attn", None)  # BART and its relatives
    if attention is None:
        inner = getattr(layer, "layer", ())
        attention = next((each.EncDecAttention for each in inner if _is_t5(each)), None)
    names = (("k_proj", "v_proj"), ("k", "v"))
    pairs = [[getattr(attention, name, None) for name in pair] for pair in names]
    heads = getattr(attention, "num_heads", None) or getattr(attention, "n_heads", None)
    for key, value in pairs:
        if isinstance(key, nn.Linear) and isinstance(value, nn.Linear) and heads:
            return CrossAttention(key, value, heads)
    raise _missing(model, "the keys and values of its cross-attention")


def _is_t5(part: Any) -> bool:
    return hasattr(part, "EncDecAttention")


def _missing(model: Any, what: str) -> WeightsError:
    return WeightsError(
        f"a {type(model).__name__} has not {what} where T5, BART, Marian and their relatives have "
        "it, so it cannot be trained and exported here; use weights of one of those"
    )
