"""Random GPTs that write without a graph: the torch-free loop on top of the torch decoder
itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transformers
from onnxruntime import OrtValue

from multigraft.contracts.generation import Generating, NewTokens, Writing
from multigraft.evaluation.generation.ports import (
    KEPT,
    LOGITS,
    MASK,
    PAST,
    POSITIONS,
    PRESENT,
    TOKENS,
    ports_of,
)
from multigraft.runtime.generation.generator import Generator
from multigraft_text.language import TiedDecoder
from multigraft_text.writing import CachedDecoder, cache_of

VOCABULARY = 60
END, PAD = 1, 0
ROOM = 48


class TorchSession:
    """Answers as the session of an exported decoder would, from torch, and counts what it
    computed."""

    def __init__(self, generating: Generating) -> None:
        self.generating = generating
        past = (f"{PAST}.{name}" for name in generating.writing.state)
        self.inputs = (TOKENS, MASK, POSITIONS, KEPT, *past)
        self.shapes: list[tuple[int, int, int]] = []
        """Rows, new tokens and past tokens of each call."""

    def value(self, array: np.ndarray) -> OrtValue:
        return OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))

    def chain(self, values: Mapping[str, OrtValue]) -> dict[str, OrtValue]:
        found = {name: torch.from_numpy(value.numpy()) for name, value in values.items()}
        past = {name: found[f"{PAST}.{name}"] for name in self.generating.writing.state}
        self.shapes.append((*found[TOKENS].shape, next(iter(past.values())).shape[2]))
        decoder: Any = self.generating.decoder
        with torch.inference_mode():
            new = NewTokens(found[TOKENS], found[MASK], found[POSITIONS], found[KEPT])
            logits, present = decoder.step(new, past, {})
        named = {f"{PRESENT}.{name}": tensor for name, tensor in present.items()}
        self.held = {  # a value made from numpy only borrows its memory
            name: OrtValue.ortvalue_from_numpy(tensor.contiguous().numpy())
            for name, tensor in {LOGITS: logits, **named}.items()
        }
        return self.held


class Letters:
    """A reader whose tokens are numbers in a text: ``"4 7"``."""

    fills: Mapping[str, float] = {}

    def read(self, raw: Any) -> dict[str, np.ndarray]:
        return {}

    def length(self, row: Mapping[str, np.ndarray]) -> int:
        return 1

    def spec(self) -> dict[str, Any]:
        return {}

    def prompt(self, raw: str) -> np.ndarray:
        return np.array([int(word) for word in raw.split()], dtype=np.int64)

    def text(self, tokens: Sequence[int]) -> str:
        return "".join(f"{token} " for token in tokens if token != END)


@dataclass(frozen=True)
class Written:
    """A random model of transformers, and our loop around the same weights."""

    model: Any
    session: TorchSession
    generator: Generator

    def theirs(self, prompts: Sequence[Sequence[int]], **options: Any) -> list[list[int]]:
        """What `transformers.generate` writes behind prompts that are padded on the left."""
        longest = max(map(len, prompts))
        tokens = torch.tensor(
            [[PAD] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
        )
        mask = torch.tensor(
            [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        )
        with torch.inference_mode():
            found = self.model.generate(
                tokens, attention_mask=mask, **{"do_sample": False, **options}
            )
        return [until_end(row) for row in found[:, longest:].tolist()]

    def ours(self, prompts: Sequence[Sequence[int]], **options: Any) -> list[list[int]]:
        answers = self.generator.generate([said(prompt) for prompt in prompts], **options)
        return [answer["tokens"] for answer in answers]


def said(prompt: Sequence[int]) -> str:
    return " ".join(map(str, prompt))


def until_end(tokens: list[int]) -> list[int]:
    """A row without what stands behind its end token."""
    return tokens[: tokens.index(END) + 1] if END in tokens else tokens


def random_writing(
    seed: int,
    *,
    kind: str = "gpt2",
    width: int = 32,
    layers: int = 2,
    heads: int = 2,
    suppress: tuple[int, ...] = (),
    **shape: Any,
) -> Written:
    """A model whose weights are large enough that its choices are far apart and texts do end."""
    torch.manual_seed(seed)
    config = transformers.AutoConfig.for_model(
        kind,
        vocab_size=VOCABULARY,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=ROOM,
        bos_token_id=END,
        eos_token_id=END,
        pad_token_id=PAD,
        tie_word_embeddings=True,
        **shape,
    )
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn_like(parameter)
            parameter.copy_(0.5 * noise if parameter.dim() > 1 else parameter + 0.1 * noise)
    base = model.base_model
    generating = Generating(
        decoder=CachedDecoder(base, TiedDecoder(base.get_input_embeddings(), bias=False)),
        writing=Writing(
            state=cache_of(base),
            vocabulary=VOCABULARY,
            max_length=ROOM,
            pad=PAD,
            start=(END,),
            stop=(END,),
            suppress=suppress,
        ),
        feed=lambda batch: (batch["input_ids"], batch["attention_mask"]),
        outputs=lambda logits, batch: {"logits": logits},
    )
    session = TorchSession(generating)
    ports = ports_of(generating, session.inputs)
    return Written(model, session, Generator(ports, Letters(), {"decoder": session}))  # type: ignore[arg-type, dict-item]


def random_prompts(seed: int, lengths: Sequence[int]) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(2, VOCABULARY, length).tolist() for length in lengths]
