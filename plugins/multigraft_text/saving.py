"""Write folders that transformers opens by itself."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForTokenClassification

from multigraft.contracts.types import Spec


def save_model(
    classifier: Any,
    linear: str,
    folder: Path,
    *,
    head: nn.Linear | None,
    labels: Sequence[str],
    problem_type: str,
) -> None:
    """Write the classifier with ``head`` as its layer ``linear``, or else its base model."""
    if head is None:
        classifier.base_model.save_pretrained(folder)
        return
    own = {f"{linear}.{name}": tensor for name, tensor in head.state_dict().items()}
    classifier.save_pretrained(folder, state_dict={**classifier.state_dict(), **own})
    config = with_labels(classifier.config, labels)
    config.problem_type = problem_type
    config.architectures = [type(classifier).__name__]
    config.save_pretrained(folder)


def save_tagger(classifier: Any, folder: Path, *, head: nn.Linear, labels: Sequence[str]) -> bool:
    """Write transformers' token classifier of the same base with ``head``; else the base model,
    where there is none or it has more than a linear layer of its own. Gives whether it was the
    first."""
    tagger = _tagger(with_labels(classifier.config, labels))
    linear = None if tagger is None else _only_linear(tagger, bias=head.bias is not None)
    if tagger is None or linear is None:
        classifier.base_model.save_pretrained(folder)
        return False
    prefix, every = f"{classifier.base_model_prefix}.", classifier.state_dict().items()
    base = {name: tensor for name, tensor in every if name.startswith(prefix)}
    own = {f"{linear}.{name}": tensor for name, tensor in head.state_dict().items()}
    tagger.save_pretrained(folder, state_dict={**base, **own})
    return True


def with_labels(config: Any, labels: Sequence[str]) -> Any:
    """A configuration that says them too."""
    copied = copy.deepcopy(config)
    copied.id2label = dict(enumerate(labels))
    copied.label2id = {label: index for index, label in enumerate(labels)}
    return copied


def _tagger(config: Any) -> Any | None:
    """An empty token classifier of this configuration; None where transformers has none."""
    try:
        with torch.device("meta"):
            return AutoModelForTokenClassification.from_config(config)
    except ValueError:
        return None


def _only_linear(tagger: Any, *, bias: bool) -> str | None:
    """The name of the linear layer that is all a tagger has besides its base; None where it is
    not."""
    prefix = f"{tagger.base_model_prefix}."
    own = {name.rpartition(".")[0] for name in tagger.state_dict() if not name.startswith(prefix)}
    module = tagger.get_submodule(next(iter(own))) if len(own) == 1 else None
    fits = isinstance(module, nn.Linear) and (module.bias is not None) == bias
    return next(iter(own)) if fits else None


CLOSING = "multigraft_post_processor"
"""Where a folder keeps how its rows were closed in training, whose tokenizer leaves a text open."""


def save_tokenizer(spec: Spec, folder: Path, *, writes: bool) -> None:
    """Write the reader's tokenizer in the form that `AutoTokenizer` opens in transformers 4 and 5.

    Of a model that ``writes``, a text is a prompt to whoever opens the folder: it is padded on the
    left, and not closed by an end token, behind which the model would begin another text.
    """
    types = ["token_type_ids"] if spec["token_types"] else []
    mask = [] if spec.get("full_length") else ["attention_mask"]  # padding is read there
    names = ["input_ids", *types, *mask]
    tokenizer = spec["tokenizer.json"]
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": spec["max_length"],
        "model_input_names": names,
        "padding_side": "left" if writes else "right",
        "clean_up_tokenization_spaces": False,
        **spec["special"],
    }
    closing = tokenizer.get("post_processor")
    if writes and left_open(closing) != closing:
        settings[CLOSING] = closing
        tokenizer = {**tokenizer, "post_processor": left_open(closing)}
    write_json(folder / "tokenizer.json", tokenizer)
    write_json(folder / "tokenizer_config.json", settings)


def left_open(processor: Any) -> Any:
    """A tokenizer's post-processor without the tokens that it puts behind a text.

    >>> closed = [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "</s>"}}]
    >>> left_open({"type": "TemplateProcessing", "single": closed, "pair": []})["single"]
    [{'Sequence': {'id': 'A'}}]
    """
    kind = processor.get("type") if isinstance(processor, dict) else None
    if kind == "Sequence":
        return {**processor, "processors": [left_open(each) for each in processor["processors"]]}
    if kind != "TemplateProcessing":
        return processor
    return {**processor, **{side: _until_text(processor[side]) for side in ("single", "pair")}}


def _until_text(pieces: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ends = [place for place, piece in enumerate(pieces) if "Sequence" in piece]
    return pieces[: ends[-1] + 1] if ends else pieces


def write_json(file: Path, content: dict[str, Any]) -> None:
    """Write a file that people can read too."""
    file.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
