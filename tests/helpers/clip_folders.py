"""Random dual encoders of transformers in folders, as they are published, only tiny; and rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
)

SHAPE = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
TEXTS = ("a red square", "two green squares", "blue", "a photo of a thing that is grey and long")
SIDE = 24


def pictures(folder: Path, count: int = 4) -> list[str]:
    """Random pictures of several shapes."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    for number in range(count):
        shape = (24, 24, 3) if number == 0 else (*draw.integers(20, 60, 2), 3)
        pixels = draw.integers(0, 256, shape).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return [str(folder / f"{number}.png") for number in range(count)]


def pairs(folder: Path, count: int = 12) -> Path:
    """A table of pictures of one colour with their captions."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(1)
    lines = []
    for number in range(count):
        name = ("red", "green", "blue")[number % 3]
        pixels = draw.integers(0, 40, (30, 26, 3)).astype(np.uint8)
        pixels[..., number % 3] += 180
        Image.fromarray(pixels).save(folder / f"pair{number}.png")
        row = {"text": f"{name} number {number}", "image": str(folder / f"pair{number}.png")}
        lines.append(json.dumps(row))
    (folder / "pairs.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder / "pairs.jsonl"


def clip_folder(folder: Path, *, width: int = 20, seed: int = 0, side: int = SIDE) -> Path:
    """A CLIP with its processor."""
    tokenizer = CLIPTokenizer(vocab=_letters(), merges=[], model_max_length=40)
    shared = {**SHAPE, "projection_dim": width}
    config = CLIPConfig(
        text_config={
            **shared,
            "hidden_size": 24,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 48,
            "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": tokenizer.bos_token_id,
        },
        vision_config={**shared, "hidden_size": 32, "image_size": side, "patch_size": 8},
        projection_dim=width,
    )
    model = _random(CLIPModel, config, seed, logit_scale=2.9)
    model.save_pretrained(folder)
    images = CLIPImageProcessorPil(
        size={"shortest_edge": side + 4}, crop_size={"height": side, "width": side}
    )
    CLIPProcessor(images, tokenizer).save_pretrained(folder)
    images.save_pretrained(folder)
    return folder


def siglip_folder(folder: Path, *, seed: int = 0) -> Path:
    """A SigLIP with its tokenizer and image processor; its scale is beyond CLIP's bound."""
    tokenizer = _words()
    config = SiglipConfig(
        text_config={
            **SHAPE,
            "hidden_size": 32,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 16,
            "projection_size": 32,
        },
        vision_config={**SHAPE, "hidden_size": 32, "image_size": SIDE, "patch_size": 8},
    )
    model = _random(SiglipModel, config, seed, logit_scale=4.8, logit_bias=-12.5)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    size = {"height": SIDE, "width": SIDE}
    SiglipImageProcessorPil(size=size).save_pretrained(folder)
    return folder


def _random(kind: Any, config: Any, seed: int, **logits: float) -> Any:
    """Weights that tell rows apart, and biases that are not nothing."""
    torch.manual_seed(seed)
    model = kind(config)
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn_like(value) * 0.1)
        for name, number in logits.items():
            getattr(model, name).fill_(number)
    return model.eval()


def _letters() -> dict[str, int]:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    ended = [f"{letter}</w>" for letter in letters]
    return {
        token: number
        for number, token in enumerate([*letters, *ended, "<|startoftext|>", "<|endoftext|>"])
    }


def _words() -> PreTrainedTokenizerFast:
    words = sorted({word for text in TEXTS for word in text.split()} | {"red", "green", "number"})
    vocabulary = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", *words])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token="</s>",
        pad_token="</s>",
        unk_token="<unk>",
        model_max_length=16,
        model_input_names=["input_ids"],
    )
