"""The layout of a generating bundle holds an encoder too: a random T5, put into one by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache, T5Config, T5ForConditionalGeneration

import multigraft as mg
from helpers.text_toys import Grown
from multigraft.contracts.readers import collate, save_spec
from multigraft.errors import BundleError
from multigraft.export.graph.trace import write_graph
from multigraft.runtime.bundle import (
    Bundle,
    CachePort,
    Generation,
    Port,
    Precision,
    open_bundle,
    seal,
)
from multigraft.runtime.session import Session

LAYERS, HEADS, WIDTH, ROOM = 2, 2, 16, 24
CACHE = [f"{layer}.{part}" for layer in range(LAYERS) for part in ("key", "value")]
TEXTS = ["the fox runs", "rain falls on the hill. the river is high", "a", "a cook tastes the soup"]


class Encoder(nn.Module):
    """The encoder, and the keys and values that the decoder's cross-attention makes of it, once."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        states = self.model.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
        found = []
        for block in self.model.decoder.block:
            attention = block.layer[1].EncDecAttention
            for part in (attention.k, attention.v):
                split = part(states).unflatten(-1, (HEADS, WIDTH))
                found.append(split.transpose(1, 2))
        return (*found, mask + 0)


class Decoder(nn.Module):
    """One step: its own cache grows, the encoder's stays."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        tokens: Tensor,
        kept: Tensor,
        past: Sequence[Tensor],
        cross: Sequence[Tensor],
        source: Tensor,
    ) -> tuple[Tensor, ...]:
        cache = EncoderDecoderCache(
            DynamicCache(list(zip(past[::2], past[1::2], strict=True))),
            DynamicCache(list(zip(cross[::2], cross[1::2], strict=True))),
        )
        cache.is_updated = dict.fromkeys(range(LAYERS), True)
        batch, _, length, _ = cross[0].shape
        hidden = self.model.decoder(
            input_ids=tokens,
            encoder_hidden_states=cross[0].new_zeros(batch, length, self.model.config.d_model),
            encoder_attention_mask=source,
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state[:, kept]
        if self.model.config.scale_decoder_outputs:
            hidden = hidden * self.model.config.d_model**-0.5
        layers = cache.self_attention_cache.layers
        return (
            self.model.lm_head(hidden),
            *(tensor for layer in layers for tensor in (layer.keys, layer.values)),
        )


@pytest.fixture(scope="module")
def model(gpt: Grown) -> Any:
    torch.manual_seed(5)
    config = T5Config(
        vocab_size=gpt.module.model.config.vocab_size,
        d_model=HEADS * WIDTH,
        d_kv=WIDTH,
        d_ff=48,
        num_layers=LAYERS,
        num_heads=HEADS,
        decoder_start_token_id=gpt.spec["pad_id"],
        pad_token_id=gpt.spec["pad_id"],
        eos_token_id=int(gpt.reader.read("a")["input_ids"][-1]),
    )
    model = T5ForConditionalGeneration._from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn_like(parameter)
            parameter.copy_(0.3 * noise if parameter.dim() > 1 else parameter + 0.1 * noise)
    return model


@pytest.fixture(scope="module")
def bundle(model: Any, gpt: Grown, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an exporter of encoder-decoders would write."""
    folder = tmp_path_factory.mktemp("t5")
    cross = [f"cross.{name}" for name in CACHE]
    mask = torch.tensor([[1] * 5, [1] * 3 + [0] * 2])
    state = torch.zeros(2, HEADS, 5, WIDTH)
    write_graph(
        Encoder(model),
        (torch.ones(2, 5, dtype=torch.int64), mask),
        inputs=["input_ids", "attention_mask"],
        outputs=[*cross, "source_mask"],
        shapes=({0: "batch", 1: "source"}, {0: "batch", 1: "source"}),
        path=folder / "encoder.onnx",
        opset=20,
    )
    write_graph(
        Decoder(model),
        (
            torch.ones(2, 2, dtype=torch.int64),
            torch.tensor([0, 1]),
            [state[:, :, :3].clone() for _ in CACHE],
            [state.clone() for _ in CACHE],
            mask,
        ),
        inputs=["tokens", "kept", *(f"past.{name}" for name in CACHE), *cross, "source_mask"],
        outputs=["logits", *(f"present.{name}" for name in CACHE)],
        shapes=(
            {0: "batch", 1: "new"},
            {0: "kept"},
            [{0: "batch", 2: "past"}] * len(CACHE),
            [{0: "batch", 2: "source"}] * len(CACHE),
            {0: "batch", 1: "source"},
        ),
        path=folder / "decoder.onnx",
        opset=20,
    )
    inputs, outputs = Session(folder / "decoder.onnx").ports()
    config = model.config
    seal(
        Bundle(
            task="causal-language-modeling",
            modality="text",
            reader=save_spec(gpt.spec, folder),
            inputs=tuple(
                Port(name=name, dtype=dtype, shape=shape) for name, dtype, shape in inputs
            ),
            outputs=tuple(
                Port(name=name, dtype=dtype, shape=shape) for name, dtype, shape in outputs
            ),
            precisions={
                "fp32": Precision(
                    accepted=True,
                    file="decoder.onnx",
                    reason="a test",
                    graphs={"encoder": "encoder.onnx"},
                )
            },
            default="fp32",
            opset=20,
            generation=Generation(
                tokens="tokens",
                kept="kept",
                logits="logits",
                cache=tuple(
                    CachePort(
                        past=f"past.{name}",
                        present=f"present.{name}",
                        dtype="float32",
                        shape=("batch", HEADS, "past", WIDTH),
                    )
                    for name in CACHE
                ),
                memory=(*cross, "source_mask"),
                start=(config.decoder_start_token_id,),
                stop=(config.eos_token_id,),
                pad=config.pad_token_id,
                vocabulary=config.vocab_size,
                max_length=ROOM,
            ),
        ),
        folder,
    )
    return folder


@pytest.mark.parametrize(
    ("asked", "options"),
    [
        ({"max_new_tokens": 16}, {"max_new_tokens": 16}),
        (
            {"max_new_tokens": 10, "method": "beam", "beams": 3},
            {"max_new_tokens": 10, "num_beams": 3},
        ),
    ],
)
def test_an_encoder_and_a_decoder_write_what_transformers_writes(
    model: Any, gpt: Grown, bundle: Path, asked: Any, options: Any
) -> None:
    predictor = mg.load(bundle)
    rows = collate([gpt.reader.read(text) for text in TEXTS], gpt.reader.fills)
    batch = {name: torch.from_numpy(array) for name, array in rows.items()}
    with torch.inference_mode():
        found = model.generate(**batch, do_sample=False, **options)[:, 1:].tolist()
    end = model.config.eos_token_id
    wanted = [row[: row.index(end) + 1] if end in row else row for row in found]
    assert [answer["tokens"] for answer in predictor.generate(TEXTS, **asked)] == wanted
    assert [predictor.generate(text, **asked)["tokens"] for text in TEXTS] == wanted
    assert len({tuple(row) for row in wanted}) == len(TEXTS)


def test_room_and_streams_are_the_decoders(gpt: Grown, bundle: Path) -> None:
    predictor = mg.load(bundle)
    answer = predictor.predict(TEXTS[0])
    assert len(answer["tokens"]) <= ROOM - 1
    assert "".join(predictor.stream(TEXTS[0])) == answer["text"]
    long = "the river is high. " * 12  # the source may be longer than what the decoder holds
    assert len(gpt.reader.read(long)["input_ids"]) > ROOM
    assert predictor.generate(long, max_new_tokens=2)["tokens"]


def test_a_memory_that_no_encoder_gives_is_refused(bundle: Path, tmp_path: Path) -> None:
    for path in bundle.iterdir():
        if path.name != "bundle.json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = open_bundle(bundle)
    alone = whole.precisions["fp32"].model_copy(update={"graphs": {}})
    seal(whole.model_copy(update={"precisions": {"fp32": alone}}), tmp_path)
    with pytest.raises(BundleError, match=r"no encoder gives 'cross\.0\.key', which"):
        mg.load(tmp_path)


def test_a_missing_encoder_is_told_before_anything_is_opened(bundle: Path, tmp_path: Path) -> None:
    for path in bundle.iterdir():
        if path.name != "encoder.onnx":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(BundleError, match=r"encoder\.onnx: listed in bundle\.json but missing"):
        mg.load(tmp_path)
