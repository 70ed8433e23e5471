"""Small runs of encoder-decoders on made-up texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import multigraft as mg
from helpers.asked_passages import write_lines

WORDS = "fox runs rain falls hill river high cook tastes soup".split()
FAMILIES = ("t5", "bart", "marian")


def made_texts(count: int, *, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, int(rng.integers(1, 5)))) for _ in range(count)]


def rows_of(texts: list[str]) -> list[dict[str, Any]]:
    """Each with its last word, in capitals."""
    return [{"text": text, "target": text.split()[-1].upper()} for text in texts]


def write_targets(folder: Path, rows: int) -> Path:
    """The same as JSON lines."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_lines(folder / "written.jsonl", rows_of(made_texts(rows, seed=0)))


def trained(folder: Path, family: str, rows: list[dict[str, Any]], **changed: Any) -> mg.Run:
    """A run of one epoch; ``task``, ``backbone`` and ``training`` are added to, others replaced."""
    table = write_lines(folder / "rows.jsonl", rows)
    parts: dict[str, dict[str, Any]] = {
        "task": {"name": "text-to-text", "max_target_length": 12},
        "backbone": {"name": f"{family}-tiny", "weights": "scratch"},
        "training": {"epochs": 1, "batch_size": 16, "learning_rate": 1e-3},
    }
    recipe: dict[str, Any] = {
        "data": {"train": str(table), "leakage": {"near": False, "allowed": 1}},
        "reader": {"tokenizer": "character", "vocabulary": 60, "max_length": 64},
        "export": {"rows": 4, "budget": 10, "repair": 0},
        "output": str(folder / "run"),
        **{name: {**part, **changed.pop(name, {})} for name, part in parts.items()},
    }
    return mg.finetune(**{**recipe, **changed})


def stir(module: nn.Module) -> None:
    """Give it weights of which choices follow that are far apart, in texts of different length."""
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in filter(lambda each: each.requires_grad, module.parameters()):
            noise = torch.randn_like(parameter)
            parameter.copy_(0.3 * noise if parameter.dim() > 1 else parameter + 0.1 * noise)
