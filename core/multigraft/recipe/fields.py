"""The recipe: everything a person decides about a run, one frozen object; outside, a YAML file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
)

from multigraft.errors import RecipeError
from multigraft.recipe.choices import (
    AugmentChoice,
    BackboneChoice,
    BackboneChoices,
    Choice,
    Section,
    StrategyChoices,
    listed,
    named,
    named_by_branch,
    named_list,
    trained,
)
from multigraft.recipe.data_fields import Count, Data, Share, given_path, given_source
from multigraft.recipe.other_names import OTHER_NAMES
from multigraft.system.files import whole_path
from multigraft.system.validation import problem_lines

FULL = (Choice(name="full"),)
Size = Annotated[int, Field(ge=1, le=2**20)]
"""Of something that is held in memory as a whole: the rows of a batch, the tokens of a sequence."""


class Training(Section):
    """How the model learns."""

    epochs: Annotated[float, Field(ge=0, le=100_000)] | None = None
    """Passes over the training rows; may be a fraction; 0 leaves the weights as they are, to be
    evaluated and exported. Unset: 3, or 10 where only a linear layer on a frozen backbone learns,
    and more of few rows of a table (`docs/tasks/tables.md`)."""
    steps: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Optimizer steps; overrides ``epochs``."""
    batch_size: Size = 32
    """Rows in one step on one device, before accumulation; a task may have another default."""
    batch_budget: Annotated[float, Field(gt=0, le=2**30)] | None = None
    """The padded length of a batch in the modality's unit (tokens, seconds of audio);
    ``batch_size`` is then the most rows in one."""
    packing: Size | None = None
    """Join short rows into sequences of up to this length, in tokens; for tasks that can (language
    modeling). No row sees another."""
    accumulation: Size = 1
    """Batches whose gradients make one step; equal to one batch of their size together."""
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    """Peak rate; unset: chosen by what learns (`docs/internals/training.md` has the rule)."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of SGD."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Of AdamW."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Spares biases and normalisation layers."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the rate falls after the warm-up."""
    warmup: Share = 0.1
    """The share of steps in which the rate rises."""
    clip: Annotated[float, Field(ge=0)] = 1.0
    """The largest gradient norm; 0 switches clipping off."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """``auto`` is bf16 where the processor computes it natively, else fp32."""
    replay: Literal["auto", "on", "off"] = "auto"
    """Compute what a frozen part gives for a row once, and go on from it in later epochs and runs;
    ``auto`` where it is used twice in this run."""
    solve: Literal["auto", "off"] = "auto"
    """``auto`` ends the training of a linear layer on a frozen backbone with the minimum of its
    loss (L-BFGS, its L2 chosen on the validation rows) where that validates with a lower loss;
    ``off`` keeps the steps'."""
    compile: Literal["auto", "on", "off"] = "auto"
    """`torch.compile`; ``auto`` tries it in long runs and keeps it where a step was measured
    faster."""
    channels_last: bool = True
    """Lay out the weights of image convolutions as processors read them fastest."""
    gradient_checkpointing: bool = False
    """Compute the inside of a block again for its gradient: less memory, about a third more
    time."""
    augment: Annotated[AugmentChoice, BeforeValidator(named)] = AugmentChoice(name="none")
    """How strongly rows are changed at random (none, light, strong), where the modality knows
    how."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Validate, keep and ship a running mean of the weights with this decay (0.999, say)."""
    bad_steps: Count = 5
    """Steps in a row with a loss or gradient that is no finite number, each left out, after which
    training goes back to the last checkpoint and on at half the rate."""
    diverged: Annotated[float, Field(ge=0)] = 3.0
    """Stop where the running loss is this many times that of the first steps; 0: never."""
    deterministic: bool = False
    """Only algorithms that give the same bits each time, also on accelerators, where they may be
    slower."""
    early_stopping: Count | None = None
    """Stop after this many epochs without a better validation."""
    checkpoint_every: Count | None = None
    """Steps between checkpoints, besides each epoch's end; unset: at the ends of epochs and every
    five minutes, but no more often than costs 2% of the time."""
    keep: Annotated[int, Field(ge=1, le=10_000)] = 2
    """The newest checkpoints that are kept; the best model is kept besides."""
    log_every: Count = 10
    """Steps between lines in metrics.jsonl."""
    workers: Annotated[int, Field(ge=0, le=256)] | Literal["auto"] = "auto"
    """Processes that read rows; 0 reads in the training process, ahead of the step; ``auto``
    measures."""


class Evaluation(Section):
    """How a trained model is measured."""

    split: Literal["test", "validation", "train"] = "test"
    batch_size: Size | None = None
    """Unset: the training's."""
    bootstrap: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Resamples behind each interval; 0 gives no intervals; unset: 1000, or where much is kept of
    the rows, as of objects, fewer, but at least 200."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    groups: str | None = None
    """A column, as ``domain``: the task's metric is told for each of its values too, and for the
    worst."""
    worst: Annotated[int, Field(ge=0, le=100_000)] = 10
    """How many of the rows with the largest loss a report names."""
    neighbours: Size = 5
    """k of the k-nearest-neighbour score of a pretrained model."""
    probe: Size | None = None
    """Labelled training rows, at most, on whose features each validation of a pretraining run
    scores k-NN and a linear probe, by the column ``label``; unset: only `evaluate` does."""


class Export(Section):
    """What the bundle holds."""

    precisions: Annotated[tuple[Literal["fp32", "int8", "fp16"], ...], Field(min_length=1)] = (
        "fp32",
        "int8",
    )
    """Each is measured on held-out rows. fp16 is for graphics processors: no processor's
    default."""
    budget: Annotated[float, Field(ge=0)] = 0.5
    """The points (of 100) of the task's metric that a precision may lose before it is refused."""
    rows: Count | None = None
    """The fewest held-out rows on which anything but fp32 is accepted; unset: as many that one row
    counts no more than the budget (200 for 0.5 points)."""
    repair: Annotated[float, Field(ge=0)] = 300
    """Seconds to look for layers that must stay float where int8 loses more than the budget; 0:
    refuse it."""
    calibration: Size = 128
    """Training rows that set the ranges of a static int8 graph, and by which layers are ranked."""
    opset: Annotated[int, Field(ge=18, le=100)] = 20
    web: bool = False
    """Make the page too that answers in a browser without a server, in the run's folder ``web``.

    What the machine's cache lacks of npm is not fetched for it; ``multigraft export RUN --web``
    does."""


class Recipe(Section):
    """One run, whole. `Recipe.parse` reads it, `to_yaml` writes it."""

    task: Annotated[Choice, BeforeValidator(named)]
    """What is learned, as ``text-classification``; options beside the name."""
    backbone: Annotated[BackboneChoices, BeforeValidator(named_by_branch)]
    """What it is learned with, as ``bert-base``; of several modalities one for each branch, which
    is called as the column that it reads: ``{text: bert-base, image: resnet-50}``."""
    data: Annotated[Data, BeforeValidator(trained)]
    strategy: Annotated[StrategyChoices, BeforeValidator(named_list)] = FULL
    """Which parameters learn; several are applied in order, or some by branch."""
    reader: dict[str, Any] = Field(default_factory=dict)
    """Options of the modality's reader, as ``max_length``, by branch where there are several; unset
    ones follow the weights."""
    training: Training = Field(default_factory=Training)
    evaluation: Evaluation = Field(default_factory=Evaluation)
    export: Export = Field(default_factory=Export)
    track: Annotated[
        tuple[Literal["csv", "tensorboard", "mlflow"], ...], BeforeValidator(listed)
    ] = ()
    """Where curves and figures are shown besides the report, each in the run's folder."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """All randomness in the run follows from it."""
    output: str | None = None
    """The run's folder; unset: ``runs/`` and a name made of task, backbone and time."""

    @classmethod
    def parse(cls, raw: Any, *, source: str = "recipe") -> Recipe:
        """Read a mapping. Raises RecipeError with every problem in it."""
        recipe, problems = check(raw)
        if recipe is None:
            raise RecipeError(problems, source=source)
        return recipe

    def anchored(self) -> Recipe:
        """The same recipe with whole paths, so that it means the same from any folder."""
        sources: dict[str, Any] = {
            name: given_source(getattr(self.data, name)) for name in ("train", "validation", "test")
        }
        importance = self.data.importance
        if importance is not None:
            toward = given_source(importance.toward)
            sources["importance"] = importance.model_copy(update={"toward": toward})
        data = self.data.model_copy(update=sources)
        backbone = self._with_weights(given_path)
        output = None if self.output is None else str(whole_path(self.output))
        return self.model_copy(update={"data": data, "backbone": backbone, "output": output})

    @property
    def branches(self) -> dict[str, BackboneChoice]:
        """The backbone of each branch; under the name ``""`` where there is one alone."""
        return self.backbone if isinstance(self.backbone, dict) else {"": self.backbone}

    @property
    def backbone_name(self) -> str:
        """Every backbone by its name, for people."""
        return "+".join(choice.name for choice in self.branches.values())

    @property
    def strategies(self) -> dict[str, tuple[Choice, ...]]:
        """The strategies of each branch; a branch of which nothing is said learns in full."""
        if isinstance(self.strategy, dict):
            return dict.fromkeys(self.branches, FULL) | self.strategy
        return dict.fromkeys(self.branches, self.strategy)

    @property
    def strategy_name(self) -> str:
        """Every strategy by its name, for people."""
        told = {
            branch: " + ".join(choice.name for choice in choices)
            for branch, choices in self.strategies.items()
        }
        alike = len(set(told.values())) == 1
        return (
            next(iter(told.values())) if alike else ", ".join(f"{b}: {s}" for b, s in told.items())
        )

    def in_batches_of(self, rows: int | None) -> Recipe:
        """The same recipe with batches of so many rows, where it says nothing of them itself."""
        if rows is None or "batch_size" in self.training.model_fields_set:
            return self
        training = self.training.model_copy(update={"batch_size": rows})
        return self.model_copy(update={"training": training})

    def with_weights(self, weights: str) -> Recipe:
        """The same recipe with other weights of its backbones."""
        return self.model_copy(update={"backbone": self._with_weights(lambda _: weights)})

    def _with_weights(self, changed: Callable[[str | None], str | None]) -> Any:
        found = {
            branch: choice.model_copy(update={"weights": changed(choice.weights)})
            for branch, choice in self.branches.items()
        }
        return found if isinstance(self.backbone, dict) else found[""]

    def to_yaml(self) -> str:
        """The recipe as YAML, every field written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def check(raw: Any) -> tuple[Recipe | None, list[str]]:
    """Check ``raw``: the recipe, or None with every problem as a line: field, found, allowed."""
    try:
        return Recipe.model_validate(raw), []
    except ValidationError as error:
        return None, problem_lines(error, Recipe, OTHER_NAMES)


def schema() -> dict[str, Any]:
    """The JSON Schema of a recipe, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Recipe.model_json_schema()}
