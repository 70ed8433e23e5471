"""Untrusted weights: bounds on what files of weights may name, and how large a network they claim.

transformers follows names in a folder's JSON: to shards anywhere on the disk, to a hub's native
code for attention, to the base of an adapter, to quantisation libraries. Here a configuration keeps
numbers, and words for its architecture's own settings; nothing else in it is a name that anything
follows.
"""

from __future__ import annotations

import inspect
import json
import math
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks

from multigraft.errors import LISTED, WeightsError
from multigraft.system.files import check_plain, is_plain_name

CONFIG = "config.json"
CONFIG_BYTES = 2**24
"""The most bytes of a configuration or an index; one with 21,841 labels takes 2 MB."""
SHARED = (
    "model_type",
    "architectures",
    "dtype",
    "torch_dtype",
    "transformers_version",
    "problem_type",
)
"""Words that every architecture has, besides its own."""
LABELS = ("id2label", "label2id")
ROPE = ("rope_scaling", "rope_parameters")
"""Rotary positions: numbers, and the word for their kind."""
REFUSED = {
    "quantization_config": "its weights are quantised; give a folder of whole ones",
    "transformers_weights": "it names another file of weights; call that model.safetensors",
}
"""What cannot be left out without making it another model."""
LARGEST = 2**40
"""The largest number in a configuration."""
COUNTED, MOST = ("num_", "n_layer", "n_head"), 100_000
"""Keys that count what is built one by one, and the largest such number."""
SIZES = (
    *("num_hidden_layers", "n_layer", "n_layers", "num_attention_heads", "n_head", "n_heads"),
    *("num_key_value_heads", "hidden_size", "n_embd", "dim", "embedding_size"),
    *("intermediate_size", "n_inner", "hidden_dim", "max_position_embeddings", "n_positions"),
    *("vocab_size", "conv_dim", "conv_kernel", "conv_stride", "mask_time_length"),
    *("num_conv_pos_embeddings", "num_conv_pos_embedding_groups", "num_feat_extract_layers"),
)
"""Keys that size or count what every network of their kind has: none of it may be nothing.

Others may be 0, as ``type_vocab_size`` where sentences have no types.
"""
BOUNDS = ("max_", "clamp_")
"""How the names of bounds begin, for which -1 means none, as in ``max_relative_positions``."""
PROBABILITIES = ("dropout", "pdrop", "layerdrop", "_prob")
"""What the names of probabilities hold."""
NO_PROBABILITIES = ("top_prob_values",)
"""Names that hold such a word and count something."""
TOKENS = ("_token_id", "_index")
"""How the names of token ids end, for which -1 and -100 mean none."""
FROM_END = ("eval_idx",)
"""Keys that name a layer, -1 the last."""
BUFFERS = ("position_ids", "token_type_ids", "inv_freq", "masked_bias")
"""What older files hold of a block besides what was trained."""
PARAMETERS = 10_000
"""Tensors in one network; the largest that are published have some thousands."""
SPARE = 2**26
"""Numbers that a network may hold besides those that its files have bytes for."""
WEIGHTS = ("*.safetensors", "*.bin", "*.pth", "*.pt")
LOOKED_FOR = (
    *("model.safetensors", "model.safetensors.index.json"),
    *("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
"""The files of a folder that transformers opens."""


def read_config(folder: Path) -> dict[str, Any]:
    """The mapping in a folder's config.json, its numbers bounded. Raises WeightsError."""
    config = _read_json(folder / CONFIG)
    for key, reason in REFUSED.items():
        if config.get(key) is not None:
            raise WeightsError(f"{folder / CONFIG}: holds {key!r}: {reason}")
    for key, value in config.items():
        _check_numbers(folder / CONFIG, key, value)
    return config


def harmless_config(config: Mapping[str, Any], own: Collection[str]) -> dict[str, Any]:
    """Pick what may reach a configuration's class: numbers, and words where it has settings.

    ``own`` are the names of these settings, without what all architectures share.

    >>> config = {"width": 3, "act": "gelu", "auto_map": {"AutoModel": "evil.Evil"}}
    >>> harmless_config(config, {"act"})
    {'width': 3, 'act': 'gelu'}
    """
    words = {*own, *SHARED, *LABELS, *ROPE}
    kept = {key: value for key, value in config.items() if key in words or not _has_words(value)}
    return {key: value for key, value in kept.items() if not key.startswith("_")}


def settings_of(config: type, base: type) -> set[str]:
    """Settings of an architecture's configuration class besides those of ``base``."""
    own, shared = (inspect.signature(each).parameters for each in (config, base))
    return own.keys() - shared.keys()


def check_files(folder: Path) -> None:
    """Raise WeightsError for an index with shards outside the folder, or for an adapter."""
    if (folder / "adapter_config.json").exists():
        raise WeightsError(
            f"{folder}: holds an adapter, not a model; merge it into its base (peft: "
            "merge_and_unload) and give the folder of that"
        )
    for index in sorted(folder.glob("*.index.json")):
        shards = _read_json(index).get("weight_map")
        if not isinstance(shards, dict):
            raise WeightsError(f"{index}: has no weight_map")
        for name in dict.fromkeys(map(str, shards.values())):
            if not is_plain_name(name):
                raise WeightsError(f"{index}: names {name!r}; its files must lie beside it")
            if not (folder / name).is_file():
                raise WeightsError(f"{index}: names {name!r}, which is not there")


def check_taken(weights: Path, base: nn.Module, prefix: str, unexpected: Collection[str]) -> None:
    """Raise WeightsError where ``base`` leaves out tensors of its parts, as layers past its count.

    ``unexpected`` are the tensors of the files that the network did not take, with or without
    ``prefix``. Heads and poolers that ``base`` is built without are no parts of it.
    """
    parts = {name for name, _ in base.named_children()}
    left = [
        key
        for key in sorted(unexpected)
        if key.removeprefix(f"{prefix}.").partition(".")[0] in parts
    ]
    lost = [key for key in left if key.rpartition(".")[2] not in BUFFERS]
    if lost:
        raise WeightsError(
            f"{weights}: holds {len(lost)} tensors that a {type(base).__name__} as in its {CONFIG} "
            f"has no place for ({', '.join(lost[:3])}{', ...' if len(lost) > 3 else ''}); the two "
            f"do not belong together: give the {CONFIG} that these weights were saved with"
        )


def check_complete(weights: Path, network: str, missing: Collection[str]) -> None:
    """Raise WeightsError where files lack tensors of a ``network`` that cannot begin anew."""
    if missing:
        raise WeightsError(
            f"{weights}: lacks {len(missing)} tensors of a {network}, as {min(missing)!r}; the "
            "weights are incomplete or of another architecture"
        )


def check_weights(folder: Path) -> None:
    """Raise WeightsError for a folder that holds no weights, as where the configuration alone was
    copied."""
    if any((folder / name).is_file() for name in LOOKED_FOR):
        return
    held = sorted(path.name for path in folder.iterdir())
    more = f" and {len(held) - LISTED} more" if len(held) > LISTED else ""
    raise WeightsError(
        f"{folder}: has no weights; looked for {', '.join(LOOKED_FOR)}, and it holds "
        f"{', '.join(held[:LISTED]) or 'nothing'}{more}: copy the weights there too, or set "
        "backbone.weights to scratch"
    )


@contextmanager
def budget(weights: Path, *, device: str = "meta") -> Iterator[None]:
    """Build networks without memory, no larger than ``weights``, a folder or a file, could fill.

    Raises WeightsError as soon as one is: a few words in a configuration could ask for any size.
    The random state stays as it was. A network that cannot be built without memory gives a
    ``device``: what is too large is refused before it is filled.
    """
    files = (
        {weights}
        if weights.is_file()
        else {path for name in WEIGHTS for path in weights.glob(name)}
    )
    meter = _Meter(weights, SPARE + 2 * sum(path.stat().st_size for path in files))
    handles = [
        hooks.register_module_parameter_registration_hook(meter.count),
        hooks.register_module_buffer_registration_hook(meter.count),
    ]
    try:
        with torch.random.fork_rng(devices=[]), torch.device(device):
            yield
    finally:
        for handle in handles:
            handle.remove()


class _Meter:
    """Counts what one thread's modules register."""

    def __init__(self, weights: Path, most: int) -> None:
        self.weights, self.most = weights, most
        self.numbers = self.tensors = 0
        self._thread = threading.get_ident()

    def count(self, module: nn.Module, name: str, tensor: Tensor | None) -> None:
        """Add a tensor. Raises WeightsError beyond the budget."""
        del module, name
        if tensor is None or threading.get_ident() != self._thread:
            return
        self.numbers, self.tensors = self.numbers + math.prod(tensor.shape), self.tensors + 1
        if self.numbers > self.most or self.tensors > PARAMETERS:
            raise WeightsError(
                f"{self.weights}: a larger network is asked for than these weights could fill "
                f"(more than {self.most:,} numbers or {PARAMETERS:,} tensors); it is not built"
            )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        check_plain(path, limit=CONFIG_BYTES)
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: holds {type(content).__name__}; a mapping is needed")
    return content


def _check_numbers(path: Path, key: str, value: Any) -> None:
    """Raise WeightsError for a number that no network has."""
    for number in _numbers(value):
        if not math.isfinite(number):
            raise WeightsError(f"{path}: {key} is {number}; a finite number is needed")
        most = MOST if key.startswith(COUNTED) else LARGEST
        if abs(number) > most:
            raise WeightsError(
                f"{path}: {key} is {number:g}; at most {most:,} is taken for a network's"
            )
        likely = key not in NO_PROBABILITIES and any(word in key for word in PROBABILITIES)
        if likely and not 0 <= number <= 1:
            raise WeightsError(f"{path}: {key} is {number:g}; a probability from 0 to 1 is needed")
    for number in () if isinstance(value, dict) else _numbers(value):
        least = _least(key, number)
        if number < least:
            raise WeightsError(f"{path}: {key} is {number:g}; at least {least:g} is needed")


def _least(key: str, number: float) -> float:
    """The smallest number that a key may have."""
    if key in SIZES:
        return 1
    if key.endswith(TOKENS) and number in (-1, -100):
        return number
    if key.startswith(BOUNDS) and number == -1:
        return number
    if key in FROM_END:
        return -MOST
    return 0 if isinstance(number, int) or "eps" in key else -LARGEST


def _numbers(value: Any) -> Iterator[float]:
    nested = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for inner in nested:
        yield from _numbers(inner)
    if isinstance(value, int | float):
        yield value


def _has_words(value: Any) -> bool:
    if isinstance(value, dict):
        return True
    return any(map(_has_words, value)) if isinstance(value, list) else isinstance(value, str)
