"""The schema of run.json: what a record may say, since a run's folder may come from anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from multigraft.contracts.owners import Owner
from multigraft.errors import RunError, first_line
from multigraft.system.files import check_plain, check_tree
from multigraft.system.resume_command import PROCESSES, RECORD, RECORD_BYTES
from multigraft.system.validation import FORMS, problem_lines

Natural = Annotated[int, Field(ge=0)]
Depths = Annotated[
    Annotated[Natural, Tag(FORMS[0])] | Annotated[dict[str, Natural], Tag(FORMS[1])],
    Discriminator(lambda value: FORMS[isinstance(value, dict)]),
]
"""A number, or one for each branch."""


class Machine(BaseModel):
    """A machine that a run computed on, as far as a repetition must do the same."""

    model_config = ConfigDict(extra="allow", strict=True)
    threads: int = Field(1, ge=1, le=4096)
    """How many may be started here is another question: `engine` asks it."""
    processes: int = Field(1, ge=1, le=PROCESSES)


class Floor(BaseModel):
    """Baseline score on the validation rows: an answer without a look at its input."""

    model_config = ConfigDict(extra="forbid", strict=True)
    metric: str
    value: float
    answer: str


class Facts(BaseModel):
    """The facts in run.json that anything is decided by; others may stand beside them."""

    model_config = ConfigDict(extra="allow", strict=True)
    state: str
    task: str = ""
    stage: str = ""
    modality: str = ""
    backbone: str = ""
    weights: str = ""
    seed: int = Field(0, ge=0)
    plugins: dict[str, str] = Field(default_factory=dict)
    owners: dict[str, Owner] = Field(default_factory=dict)
    recipe: dict[str, Any] = Field(default_factory=dict)
    """The recipe as the run began with it."""
    versions: dict[str, str] = Field(default_factory=dict)
    data: dict[str, dict[str, Any]] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    reader: dict[str, Any] = Field(default_factory=dict)
    targets: dict[str, Any] = Field(default_factory=dict)
    settled: dict[str, Any] = Field(default_factory=dict)
    """What the validation rows of the trained model fixed, beside ``targets``: thresholds."""
    frozen: Depths = 0
    """The blocks that never learned; of several branches those of each."""
    resumed: int = Field(0, ge=0)
    compiled: bool | None = None
    precision: Literal["fp32", "bf16"] | None = None
    baseline: Floor | None = None
    head_inherited: bool = False
    machine: Machine = Machine(threads=1, processes=1)
    observers_off: dict[str, str] = Field(default_factory=dict)


def check_facts(raw: Mapping[str, Any]) -> list[str]:
    """List what is wrong with a run's facts."""
    try:
        Facts.model_validate(raw)
    except ValidationError as error:
        return problem_lines(error, Facts)
    return []


def read_record(folder: Path) -> dict[str, Any]:
    """Read the facts in a run's folder. Raises RunError where there is no run."""
    path = folder / RECORD
    try:
        check_plain(path, limit=RECORD_BYTES)
        check_tree(folder, links=False)
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunError(f"{folder}: is not a run: it has no {RECORD}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path}: cannot be read: {first_line(error)}") from error
    if not isinstance(facts, dict) or "state" not in facts:
        raise RunError(f"{path}: does not hold the facts of a run")
    if problems := check_facts(facts):
        raise RunError("\n  ".join([f"{path}: does not hold the facts of a run", *problems]))
    return facts
