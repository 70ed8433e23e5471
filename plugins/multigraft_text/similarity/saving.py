"""Write what sentence-transformers needs beside a saved backbone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from multigraft.contracts.types import Spec
from multigraft_text.saving import save_tokenizer
from multigraft_text.similarity.pooling import CONFIG, pooling_config

NORMALIZE = "2_Normalize"
MODULES = (("", "Transformer"), (CONFIG.parent.name, "Pooling"), (NORMALIZE, "Normalize"))
"""The folder of each module, in order, and its class."""


def save_modules(folder: Path, *, spec: Spec, pooling: str, width: int) -> None:
    """Write ``modules.json`` and what it names: the transformer, pooling, normalisation.

    Texts are closed and padded on the right there too, whichever way the model reads.
    """
    listed = [
        {
            "idx": index,
            "name": str(index),
            "path": path,
            "type": f"sentence_transformers.models.{kind}",
        }
        for index, (path, kind) in enumerate(MODULES)
    ]
    save_tokenizer(spec, folder, writes=False)
    _write(folder / "modules.json", listed)
    length = {"max_seq_length": spec["max_length"], "do_lower_case": False}
    _write(folder / "sentence_bert_config.json", length)
    _write(folder / CONFIG, pooling_config(pooling, width))
    (folder / NORMALIZE).mkdir()


def _write(file: Path, content: Any) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
