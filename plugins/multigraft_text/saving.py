"""Writing folders that transformers opens by itself."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from multigraft.records import Spec


def save_model(
    classifier: Any, linear: str, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]
) -> None:
    """Write the classifier with ``head`` as its layer ``linear``, or its base model where there is none."""
    if head is None:
        classifier.base_model.save_pretrained(folder)
        return
    own = {f"{linear}.{name}": tensor for name, tensor in head.state_dict().items()}
    classifier.save_pretrained(folder, state_dict={**classifier.state_dict(), **own})
    config = copy.deepcopy(classifier.config)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    config.problem_type = "single_label_classification"
    config.architectures = [type(classifier).__name__]
    config.save_pretrained(folder)


def save_tokenizer(spec: Spec, folder: Path) -> None:
    """Write the reader's tokenizer in the form that `AutoTokenizer` opens in transformers 4 and 5."""
    names = ["input_ids", *(["token_type_ids"] if spec["token_types"] else []), "attention_mask"]
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": spec["max_length"],
        "model_input_names": names,
        "padding_side": "right",
        "clean_up_tokenization_spaces": False,
        **spec["special"],
    }
    _write(folder / "tokenizer.json", spec["tokenizer.json"])
    _write(folder / "tokenizer_config.json", settings)


def _write(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
