"""The feature encoder's convolutions give what transformers' own layers give, forwards and
backwards."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model

from multigraft_speech.framing import FrameConv, convolve


def encoder(**fields: Any) -> Any:
    """A feature encoder of three layers, as transformers builds it."""
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        **{
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "conv_dim": (8, 8, 6),
            "conv_kernel": (10, 3, 2),
            "conv_stride": (5, 2, 2),
            "feat_extract_norm": "layer",
            **fields,
        }
    )
    return Wav2Vec2Model(config).feature_extractor


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("samples", [400, 401, 437])
def test_results_and_gradients_are_transformers(bias: bool, samples: int) -> None:
    theirs = encoder(conv_bias=bias)
    ours = [FrameConv(layer) for layer in deepcopy(theirs).conv_layers]
    sound = torch.randn(3, samples)
    wanted = theirs(sound)
    found = sound.unsqueeze(1)
    for layer in ours:
        found = layer(found)
    assert torch.allclose(found, wanted, atol=1e-5)
    weighing = torch.randn_like(wanted)
    (wanted * weighing).sum().backward()
    (found * weighing).sum().backward()
    expected = dict(theirs.conv_layers.named_parameters())
    given = {
        f"{i}.{name}": p for i, layer in enumerate(ours) for name, p in layer.named_parameters()
    }
    assert given.keys() == expected.keys()
    for name, parameter in given.items():
        assert torch.allclose(parameter.grad, expected[name].grad, rtol=1e-3, atol=1e-4), name


def test_the_gradient_is_the_numerical_one() -> None:
    conv = torch.nn.Conv1d(2, 3, 3, stride=2).double()
    hidden = torch.randn(2, 2, 11, dtype=torch.float64, requires_grad=True)

    def windows(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        from multigraft_speech.framing import _Windows

        frames: torch.Tensor = _Windows.apply(values.transpose(1, 2), weight, 2)
        return frames

    assert torch.autograd.gradcheck(windows, (hidden, conv.weight), atol=1e-6)


def test_without_gradients_it_is_the_module_itself() -> None:
    conv, hidden = torch.nn.Conv1d(4, 5, 3, stride=2), torch.randn(2, 4, 30)
    with torch.no_grad():
        assert torch.equal(convolve(conv, hidden), conv(hidden).transpose(1, 2))
    assert torch.allclose(convolve(conv, hidden), conv(hidden).transpose(1, 2), atol=1e-6)


def test_frozen_weights_get_no_gradient() -> None:
    conv, hidden = torch.nn.Conv1d(4, 5, 3, stride=2), torch.randn(2, 4, 30, requires_grad=True)
    conv.requires_grad_(False)
    convolve(conv, hidden).sum().backward()
    assert hidden.grad is not None
    assert conv.weight.grad is None


def test_bf16_autocast_goes_through_the_module() -> None:
    conv, hidden = torch.nn.Conv1d(4, 5, 3, stride=2), torch.randn(2, 4, 30)
    with torch.autocast("cpu", torch.bfloat16):
        frames = convolve(conv, hidden)
    assert frames.dtype is torch.bfloat16
    frames.float().sum().backward()
    assert conv.weight.grad is not None
