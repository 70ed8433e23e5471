"""What both sides of a training case share: the settings, and how each side runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.harness import Turn, stopwatch


@dataclass(frozen=True)
class Settings:
    """How both sides learn: AdamW, linear fall after a warm-up, weight decay that spares biases and
    norms."""

    epochs: int = 1
    batch_size: int = 32
    learning_rate: float = 5e-4
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip: float = 1.0

    def of(self, turn: Turn) -> Settings:
        """The same, of one epoch where the turn only warms up."""
        return replace(self, epochs=1) if turn.warm else self

    def recipe(self) -> dict[str, Any]:
        """Ours."""
        return {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "weight_decay": self.weight_decay,
            "schedule": "linear",
            "warmup": self.warmup,
            "clip": self.clip,
        }

    def arguments(self) -> dict[str, Any]:
        """transformers'."""
        return {
            "num_train_epochs": self.epochs,
            "per_device_train_batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "weight_decay": self.weight_decay,
            "lr_scheduler_type": "linear",
            "warmup_steps": self.warmup,  # a share, below 1
            "max_grad_norm": self.clip,
        }


@dataclass(frozen=True)
class Trained:
    """A finished training."""

    model: Any
    """Ours: the `Run`; theirs: the `Trainer`."""
    rows: int
    """Rows seen, all epochs counted."""
    whole: float
    """Seconds from the first file read to the model written."""
    steps: float
    """Seconds from the first step to the last, as the side itself counts them."""


def ours(recipe: Mapping[str, Any], *, rows: int, plugins: Sequence[object] = ()) -> Trained:
    """`multigraft.finetune`: reads the data, trains, writes the run."""
    import multigraft as mg

    with stopwatch() as seconds:
        run = mg.finetune(dict(recipe), plugins=plugins)
    if run.report is None or run.report.cost is None:
        raise RuntimeError(f"{run.folder}: the training reported no cost")
    return Trained(
        run, rows * int(recipe["training"]["epochs"]), seconds[0], run.report.cost.seconds
    )


def training_precision() -> str:
    """In which both sides train fastest here: ours chooses it by itself, the other is given it."""
    from multigraft.system.compute.precision import native_bf16

    return "bf16" if native_bf16() else "fp32"


def held_out_accuracy(run: Any) -> float:
    """Ours on the rows of ``data.test``."""
    return float(run.evaluate().metrics["accuracy"].value)


def theirs(
    build: Callable[[], Any],
    read: Callable[[], Any],
    *,
    settings: Settings,
    folder: Path,
    seed: int,
    collator: Any,
    flags: Mapping[str, Any] | None = None,
    processor: Any = None,
    pooled: bool = False,
) -> Trained:
    """`transformers.Trainer`: ``read`` makes the training set, ``build`` the model; the model is
    written."""
    import torch
    from transformers import Trainer, TrainingArguments, set_seed
    from transformers.trainer_callback import PrinterCallback

    given = dict(flags or {})
    with stopwatch() as seconds:
        set_seed(seed)
        rows, model = read(), build()
        arguments = TrainingArguments(
            output_dir=str(folder / "trainer"),
            seed=seed,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            dataloader_pin_memory=False,
            use_cpu=bool(given.get("bf16")) and not torch.cuda.is_available(),
            **settings.arguments(),
            **given,
        )
        trainer = (_pooled(Trainer) if pooled else Trainer)(
            model=model,
            args=arguments,
            train_dataset=rows,
            data_collator=collator,
            processing_class=processor,
        )
        trainer.remove_callback(PrinterCallback)
        output = trainer.train()
        trainer.save_model(str(folder / "model"))
    return Trained(
        trainer, len(rows) * settings.epochs, seconds[0], output.metrics["train_runtime"]
    )


HELD_OUT = {"full": 2000, "quick": 256, "smoke": 64}
"""Rows behind a full figure's quality: two points' difference shows at 90%, where seeds change
little."""
POOL = 50
"""Batches sorted by length together: ours always, Trainer's ``group_by_length`` from 6,400 rows
on."""


def _pooled(trainer: Any) -> Any:
    """A Trainer that groups a small set as well as it groups a large one.

    ``group_by_length`` sorts pools of ``rows // (4 * batch_size)`` batches, at most 50. Few rows it
    hardly groups, and the row count of a benchmark would decide its ratio.
    """
    from transformers.trainer_pt_utils import get_length_grouped_indices

    class Pooled(trainer):
        """With pools of 50 batches, whatever the number of rows."""

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            lengths = [len(ids) for ids in self.train_dataset["input_ids"]]
            size = self.args.train_batch_size
            return _EachTime(lambda: get_length_grouped_indices(lengths, size, POOL), len(lengths))

    return Pooled


class _EachTime:
    """A sampler that draws its order anew in every epoch."""

    def __init__(self, draw: Callable[[], list[int]], length: int) -> None:
        self.draw, self.length = draw, length

    def __iter__(self) -> Iterator[int]:
        return iter(self.draw())

    def __len__(self) -> int:
        return self.length


def trainer_accuracy(trainer: Any, rows: Any) -> float:
    """Theirs on held-out rows."""
    output = trainer.predict(rows)
    return float((output.predictions.argmax(-1) == output.label_ids).mean())
