"""The recipes that are interrupted: every feature that keeps state is in one of them, for each
modality."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers.asked_passages import write_questions
from helpers.paired_texts import write_pairs
from helpers.samples import WRITERS, write_both
from helpers.seq2seq_runs import write_targets
from helpers.spelled_sounds import write_said
from helpers.tagged_texts import write_tagged


@dataclass(frozen=True)
class Case:
    """A tiny recipe, and which of the house's rooms it goes through."""

    name: str
    modality: str
    features: tuple[str, ...]
    recipe: Mapping[str, Any]
    training: Mapping[str, Any] = field(default_factory=dict)
    stage: str = "finetune"
    exports: tuple[str, ...] = ()
    """The precisions of the bundle; empty: none is made."""
    rows: int = 32
    threads: int = 1
    processes: int = 1
    """That train it together, as under torchrun."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Of the data, by other names."""
    write: Callable[[Path, int], Path] | None = None
    """What makes the rows, where the task wants others than the modality's."""
    caches: bool = False
    """Whether decoded rows and parsed tables go to the machine's cache, however quick they are."""

    def written(self, data: Path, output: Path) -> dict[str, Any]:
        """The recipe for a run in ``output``."""
        return {
            "seed": 3,
            **self.recipe,
            "data": {
                "train": str(data),
                "columns": dict(self.columns),
                **self.recipe.get("data", {}),
            },
            "training": {**TRAINING, **self.training},
            "evaluation": {"bootstrap": 8},
            "export": {"precisions": list(self.exports or ("fp32",)), "calibration": 8},
            "output": str(output),
        }

    def make_data(self, folder: Path) -> Path:
        """Rows for the run."""
        writers = {**WRITERS, "text+image": write_both}
        return (self.write or writers[self.modality])(folder, self.rows)


TRAINING = {
    "epochs": 2,
    "batch_size": 4,
    "learning_rate": 1e-3,
    "checkpoint_every": 3,
    "log_every": 2,
    "workers": 0,
    "precision": "fp32",
}

TEXT = (
    Case(
        "text-gradual",
        "text",
        ("gradual unfreezing", "EMA", "accumulation"),
        {"task": "text-classification", "backbone": "bert-tiny", "strategy": "gradual-unfreezing"},
        {"accumulation": 2, "ema": 0.9, "epochs": 3},
    ),
    Case(
        "text-replay",
        "text",
        ("replay", "table cache", "early stopping"),
        {"task": "text-classification", "backbone": "bert-tiny", "strategy": "partial"},
        {"epochs": 6, "early_stopping": 1, "learning_rate": 5e-3},
        caches=True,
    ),
    Case(
        "text-packing",
        "text",
        ("packing", "bf16", "gradient checkpointing"),
        {"task": "causal-language-modeling", "backbone": "gpt-tiny"},
        {"packing": 48, "precision": "bf16", "gradient_checkpointing": True},
        stage="pretrain",
    ),
    Case(
        "text-budget",
        "text",
        ("batch budget", "workers", "EMA", "export"),
        {"task": "text-classification", "backbone": "bert-tiny"},
        {"batch_budget": 64, "workers": 1, "ema": 0.95},
        exports=("fp32",),
        rows=30,
    ),
    Case(
        "text-labels",
        "text",
        ("settled thresholds", "solved probe", "replay", "export"),
        {"task": "text-multilabel", "backbone": "bert-tiny", "strategy": "linear-probe"},
        exports=("fp32",),
        columns={"labels": "label"},
    ),
    Case(
        "text-entities",
        "text",
        ("labels of words", "metrics of answers", "EMA", "export"),
        {
            "task": "token-classification",
            "backbone": "bert-tiny",
            "data": {"leakage": {"near": False, "allowed": 1}},
        },
        {"ema": 0.9},
        exports=("fp32",),
        columns={"words": "tokens"},
        write=write_tagged,
    ),
    Case(
        "text-answers",
        "text",
        ("windows", "metrics of answers", "settled thresholds", "EMA", "export"),
        {
            "task": "question-answering",
            "backbone": "bert-tiny",
            "reader": {"max_length": 24},
            "data": {"leakage": {"near": False}},
        },
        {"ema": 0.9},
        exports=("fp32",),
        write=write_questions,
    ),
    Case(
        "text-writing",
        "text",
        ("an encoder-decoder", "metrics of texts that beam search writes", "EMA", "export"),
        {
            "task": {"name": "text-to-text", "max_target_length": 12, "beams": 2},
            "backbone": "marian-tiny",
            "reader": {"tokenizer": "character", "max_length": 48},
            "data": {"leakage": {"near": False, "allowed": 1}},
        },
        {"ema": 0.9},
        exports=("fp32",),
        write=write_targets,
    ),
    Case(
        "text-similarity",
        "text",
        ("pairs of texts", "metrics of retrieval", "early stopping", "export"),
        {
            "task": "sentence-similarity",
            "backbone": "bert-tiny",
            "data": {"leakage": {"near": False, "allowed": 1}},
        },
        {"early_stopping": 1, "epochs": 4},
        exports=("fp32",),
        write=write_pairs,
    ),
    Case(
        "text-threads",
        "text",
        ("two threads", "layer-wise decay", "EMA"),
        {"task": "text-classification", "backbone": "bert-tiny", "strategy": "layer-wise-decay"},
        {"ema": 0.9},
        threads=2,
    ),
    Case(
        "text-processes",
        "text",
        ("two processes", "gradual unfreezing", "EMA"),
        {"task": "text-classification", "backbone": "bert-tiny", "strategy": "gradual-unfreezing"},
        {"ema": 0.9, "epochs": 3},
        processes=2,
    ),
    Case(
        "text-processes-bf16",
        "text",
        ("two processes", "bf16", "accumulation"),
        {"task": "text-classification", "backbone": "bert-tiny"},
        {"precision": "bf16", "accumulation": 2},
        processes=2,
    ),
)
IMAGE = (
    Case(
        "image-export",
        "image",
        ("augmentation", "workers", "EMA", "export"),
        {"task": "image-classification", "backbone": "resnet-tiny"},
        {"augment": "strong", "workers": 2, "ema": 0.9},
        exports=("fp32", "int8"),
    ),
    Case(
        "image-replay",
        "image",
        ("replay", "rows cache", "SGD"),
        {"task": "image-classification", "backbone": "resnet-tiny", "strategy": "linear-probe"},
        {"optimizer": "sgd", "learning_rate": 0.05},
        caches=True,
    ),
    Case(
        "image-contrastive",
        "image",
        ("bf16", "accumulation", "early stopping"),
        {"task": "image-contrastive", "backbone": "resnet-tiny"},
        {"precision": "bf16", "accumulation": 2, "early_stopping": 1, "epochs": 5},
        stage="pretrain",
    ),
    Case(
        "image-threads-bf16",
        "image",
        ("two threads", "bf16", "augmentation"),
        {"task": "image-classification", "backbone": "resnet-tiny"},
        {"precision": "bf16", "augment": "light"},
        threads=2,
    ),
)
AUDIO = (
    Case(
        "audio-lora",
        "audio",
        ("LoRA", "gradient checkpointing", "batch budget", "workers"),
        {"task": "audio-classification", "backbone": "wav2vec2-tiny", "strategy": "lora"},
        {"gradient_checkpointing": True, "batch_budget": 2.0, "workers": 1},
    ),
    Case(
        "audio-replay",
        "audio",
        ("replay", "rows cache", "EMA"),
        {"task": "audio-classification", "backbone": "logmel-tiny", "strategy": "partial"},
        {"ema": 0.9},
        caches=True,
    ),
    Case(
        "audio-contrastive",
        "audio",
        ("accumulation", "bf16", "layer-wise decay"),
        {
            "task": "wav2vec2-contrastive",
            "backbone": "wav2vec2-tiny",
            "strategy": "layer-wise-decay",
        },
        {"accumulation": 2, "precision": "bf16"},
        stage="pretrain",
    ),
    Case(
        "audio-recognition",
        "audio",
        ("CTC", "metrics of transcripts", "SpecAugment", "EMA", "export"),
        {
            "task": "automatic-speech-recognition",
            "backbone": {"name": "logmel-tiny", "spec_augment": 0.1},
            "data": {"leakage": {"near": False, "allowed": 1}},
        },
        {"ema": 0.9, "augment": "light"},
        exports=("fp32",),
        write=write_said,
    ),
    Case(
        "audio-export",
        "audio",
        ("augmentation", "early stopping", "export"),
        {"task": "audio-classification", "backbone": "logmel-tiny"},
        {"augment": "light", "early_stopping": 1, "epochs": 6},
        exports=("fp32",),
    ),
    Case(
        "audio-threads-bf16",
        "audio",
        ("two threads", "bf16", "workers"),
        {"task": "audio-classification", "backbone": "logmel-tiny", "strategy": "partial"},
        {"precision": "bf16", "replay": "off", "workers": 1},
        threads=2,
    ),
)
SEVERAL = (
    Case(
        "several-missing",
        "text+image",
        ("several branches", "missing values", "replay", "rows cache", "EMA", "export"),
        {
            "task": "classification",
            "backbone": {"text": "bert-tiny", "image": "resnet-tiny"},
            "strategy": {"text": {"name": "partial", "blocks": 1}, "image": "linear-probe"},
            "data": {"missing": "allow"},
        },
        {"ema": 0.9},
        exports=("fp32",),
        caches=True,
    ),
    Case(
        "several-threads",
        "text+image",
        ("several branches", "missing values", "two threads", "augmentation", "workers"),
        {
            "task": "classification",
            "backbone": {"text": "bert-tiny", "image": "resnet-tiny"},
            "data": {"missing": "allow"},
        },
        {"augment": "light", "workers": 1},
        threads=2,
    ),
)
CASES = {case.name: case for case in (*TEXT, *IMAGE, *AUDIO, *SEVERAL)}
