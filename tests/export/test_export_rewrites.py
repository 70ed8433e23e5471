"""What torch exports in many nodes becomes few that compute the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.export.graph.rewrites import REWRITES
from multigraft.export.graph.rewrites.attention import fuse_attention
from multigraft.export.graph.rewrites.frames import frame_waveforms
from multigraft.export.graph.rewrites.masking import fill_by_mask
from multigraft.export.precision.quantize import prepare


class Attending(nn.Module):
    """Attention of four heads over [B, T, 32], as transformers writes it."""

    def __init__(self, masking: str, *, rotated: bool = False, reshaped: bool = False) -> None:
        """``reshaped``: by a step that changes nothing, as wav2vec2 takes it before the heads are
        joined."""
        super().__init__()
        torch.manual_seed(0)
        self.query, self.key, self.value = (nn.Linear(32, 32) for _ in range(3))
        self.masking = masking
        self.rotated = rotated
        self.reshaped = reshaped

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (
            side(hidden).view(*hidden.shape[:2], 4, 8).transpose(1, 2)
            for side in (self.query, self.key, self.value)
        )
        if self.rotated:
            query, key = query + query.roll(1, -1), key + key.roll(1, -1)
        seen = mask.bool()[:, None, None, :] if self.masking == "padding" else None
        found = F.scaled_dot_product_attention(
            query, key, value, attn_mask=seen, is_causal=self.masking == "causal"
        )
        if self.reshaped:
            found = found.reshape(hidden.shape[0], 4, -1, 8)
        joined: Tensor = found.transpose(1, 2).reshape(*hidden.shape)
        return joined


class Overwriting(nn.Module):
    """``hidden[~mask] = 0``, with the mask repeated over the channels, as wav2vec2's encoder writes
    it."""

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        hidden = hidden * 2
        hidden[~mask.bool().unsqueeze(-1).repeat(1, 1, hidden.shape[2])] = -1.5
        return hidden + 1


class Placing(nn.Module):
    """Numbers of their own in the places of a mask."""

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        return (hidden * 2).masked_scatter(mask.bool().unsqueeze(-1), hidden.flatten() * 3)


class Framing(nn.Module):
    """A convolution over a waveform, and a norm over its channels."""

    def __init__(
        self, samples: int = 10, stride: int = 5, *, bias: bool = True, padding: int = 0
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.filters = nn.Conv1d(1, 8, samples, stride, padding=padding, bias=bias)
        self.norm = nn.LayerNorm(8)

    def forward(self, waveform: Tensor) -> Tensor:
        found: Tensor = self.norm(self.filters(waveform[:, None]).transpose(1, 2))
        return found


def exported(module: nn.Module, path: Path) -> onnx.ModelProto:
    hidden, mask = torch.randn(2, 5, 32), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    sample: tuple[Tensor, ...] = (
        (torch.randn(2, 57),) if isinstance(module, Framing) else (hidden, mask)
    )
    shapes = tuple({0: "batch", 1: "length"} for _ in sample)
    torch.onnx.export(
        module.eval(),
        sample,
        path,
        dynamo=True,
        opset_version=20,
        dynamic_shapes=shapes,
        verbose=False,
    )
    return onnx.load(path)


def answer(model: onnx.ModelProto, *given: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [port.name for port in session.get_inputs()]
    found: np.ndarray = session.run(None, dict(zip(names, given, strict=False)))[0]
    return found


def kinds(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("reshaped", [False, True])
@pytest.mark.parametrize("masking", ["none", "padding", "causal"])
def test_attention_becomes_one_node(tmp_path: Path, masking: str, *, reshaped: bool) -> None:
    model = exported(Attending(masking, reshaped=reshaped), tmp_path / "model.onnx")
    rng = np.random.default_rng(0)
    hidden, mask = rng.normal(size=(3, 9, 32)).astype(np.float32), np.ones((3, 9), dtype=np.int64)
    mask[1, 4:] = 0
    before, count = answer(model, hidden, mask), len(model.graph.node)
    assert fuse_attention(model) == 1
    made = kinds(model)
    assert made.count("MultiHeadAttention") == 1 and "Softmax" not in made and len(made) < count - 8
    node = next(node for node in model.graph.node if node.op_type == "MultiHeadAttention")
    settings = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    assert settings["num_heads"] == 4 and settings["scale"] == pytest.approx(8**-0.5)
    np.testing.assert_allclose(answer(model, hidden, mask), before, atol=2e-6)


def test_what_stands_between_projection_and_scores_is_left(tmp_path: Path) -> None:
    """As rotary positions do: fusing would pass them over."""
    model = exported(Attending("padding", rotated=True), tmp_path / "model.onnx")
    count = len(model.graph.node)
    assert fuse_attention(model) == 0
    assert len(model.graph.node) == count


def test_a_mask_overwrites_without_a_list_of_places(tmp_path: Path) -> None:
    model = exported(Overwriting(), tmp_path / "model.onnx")
    assert {"NonZero", "ScatterND", "Tile"} <= set(kinds(model))
    hidden = np.random.default_rng(0).normal(size=(3, 7, 32)).astype(np.float32)
    mask = np.ones((3, 7), dtype=np.int64)
    mask[0, 2:], mask[2] = 0, 0
    before = answer(model, hidden, mask)
    assert fill_by_mask(model) == 1
    assert not {"NonZero", "ScatterND", "Tile"} & set(kinds(model))
    np.testing.assert_array_equal(answer(model, hidden, mask), before)
    assert (before[2] == -0.5).all() and (before[1] != -0.5).all()


def test_other_numbers_keep_their_places(tmp_path: Path) -> None:
    model = exported(Placing(), tmp_path / "model.onnx")
    before = kinds(model)
    assert fill_by_mask(model) == 0
    assert kinds(model) == before


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("samples, stride", [(10, 5), (4, 4), (9, 3), (3, 1)])
def test_a_waveform_is_cut_into_frames(
    tmp_path: Path, samples: int, stride: int, *, bias: bool
) -> None:
    model = exported(Framing(samples, stride, bias=bias), tmp_path / "model.onnx")
    rng = np.random.default_rng(0)
    waves = [rng.normal(size=(2, samples + more)).astype(np.float32) for more in (0, 1, 31, 99)]
    before = [answer(model, wave) for wave in waves]
    assert frame_waveforms(model) == 1
    assert not {"Conv", "Transpose"} & set(kinds(model))
    for wave, expected in zip(waves, before, strict=True):
        found = answer(model, wave)
        assert found.shape == expected.shape == (2, (wave.shape[1] - samples) // stride + 1, 8)
        np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize(
    "module", [Framing(10, 4), Framing(padding=3)], ids=["no whole strides", "padded"]
)
def test_other_convolutions_are_left(tmp_path: Path, module: Framing) -> None:
    model = exported(module, tmp_path / "model.onnx")
    assert frame_waveforms(model) == 0
    assert kinds(model).count("Conv") == 1


def test_a_product_of_frames_stays_float(tmp_path: Path) -> None:
    """Its ten rows of weights are nothing to gain from, and a waveform does not survive eight
    bits."""
    model = exported(Framing(), tmp_path / "model.onnx")
    frame_waveforms(model)
    onnx.save(model, tmp_path / "framed.onnx")
    assert prepare(tmp_path / "framed.onnx", tmp_path, "dynamic").layers == ()


def test_all_of_them_know_what_transformers_writes(tmp_path: Path) -> None:
    """A wav2vec2 with layer norms between its convolutions has each form."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        conv_dim=(16, 16),
        conv_stride=(5, 2),
        conv_kernel=(10, 3),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
    )
    mask = torch.ones(2, 900, dtype=torch.int64)
    mask[1, 500:] = 0
    length = {0: "batch", 1: "length"}
    torch.onnx.export(
        Wav2Vec2Model(config).eval(),
        (torch.randn(2, 900),),
        tmp_path / "model.onnx",
        kwargs={"attention_mask": mask},
        dynamo=True,
        opset_version=20,
        dynamic_shapes={"input_values": length, "attention_mask": length},
        verbose=False,
    )
    model = onnx.load(tmp_path / "model.onnx")
    waves = np.random.default_rng(0).normal(size=(2, 1203)).astype(np.float32)
    seen = np.ones((2, 1203), dtype=np.int64)
    seen[0, 700:] = 0
    before = answer(model, waves, seen)
    assert {name: rewrite(model) for name, rewrite in REWRITES.items()} == {
        "attentions": 2,
        "masks": 1,
        "waveforms": 1,
    }
    np.testing.assert_allclose(answer(model, waves, seen), before, atol=1e-5)
