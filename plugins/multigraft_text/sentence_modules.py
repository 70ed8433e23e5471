"""The modules of a sentence-transformers folder: what it needs beside a saved backbone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from multigraft.contracts.types import Spec
from multigraft_text.saving import save_tokenizer
from multigraft_text.sentence_pooling import CONFIG, pooling_config

NORMALIZE, DENSE = "2_Normalize", "2_Dense"
IDENTITY = "torch.nn.modules.linear.Identity"
POOLED = (("", "Transformer"), (CONFIG.parent.name, "Pooling"))
"""The folder of each module, in order, and its class."""


def save_embedder(folder: Path, *, spec: Spec, pooling: str, width: int) -> None:
    """Pooling, then normalisation: ``encode`` gives the embedding [width] of a text."""
    _save(folder, (NORMALIZE, "Normalize"), spec=spec, pooling=pooling, width=width)
    (folder / NORMALIZE).mkdir()


def save_pooled(
    folder: Path, *, spec: Spec, pooling: str, width: int, head: nn.Linear | None
) -> None:
    """Pooling, then the head where there is one: ``encode`` gives the logits of a text."""
    last = () if head is None else ((DENSE, "Dense"),)
    _save(folder, *last, spec=spec, pooling=pooling, width=width)
    if head is not None:
        _save_dense(folder / DENSE, head)


def _save_dense(folder: Path, head: nn.Linear) -> None:
    sides = {"in_features": head.in_features, "out_features": head.out_features}
    shape = {**sides, "bias": head.bias is not None, "activation_function": IDENTITY}
    _write(folder / "config.json", shape)
    own = {f"linear.{name}": value.contiguous() for name, value in head.state_dict().items()}
    save_file(own, folder / "model.safetensors")


def _save(folder: Path, *last: tuple[str, str], spec: Spec, pooling: str, width: int) -> None:
    """Write ``modules.json``, the tokenizer and the pooling.

    Texts are closed and padded on the right there too, whichever way the model reads.
    """
    listed = [
        {
            "idx": index,
            "name": str(index),
            "path": path,
            "type": f"sentence_transformers.models.{kind}",
        }
        for index, (path, kind) in enumerate((*POOLED, *last))
    ]
    save_tokenizer(spec, folder, writes=False)
    _write(folder / "modules.json", listed)
    length = {"max_seq_length": spec["max_length"], "do_lower_case": False}
    _write(folder / "sentence_bert_config.json", length)
    _write(folder / CONFIG, pooling_config(pooling, width))


def _write(file: Path, content: Any) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
